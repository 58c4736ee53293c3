//! Rotary position embedding of one head.

use ascendcl_sys::aclDataType;

use super::round::stored_as;

/// Rotates pairs at a distance of `stride`: of each `2 * stride` values `(a, b)` become
/// `(a cos - b sin, b cos + a sin)`. Each product and the sum are rounded as a value of `dtype`.
///
/// `head`, `cos` and `sin` have one length, which `2 * stride` divides.
pub(crate) fn rotate(head: &[f32], cos: &[f32], sin: &[f32], stride: usize, dtype: aclDataType) -> Vec<f32> {
    (0..head.len())
        .map(|i| {
            let turned = if i % (2 * stride) < stride { -head[i + stride] } else { head[i - stride] };
            let straight = stored_as(dtype, head[i] * cos[i]);
            stored_as(dtype, straight + stored_as(dtype, turned * sin[i]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ascendcl_sys::{ACL_FLOAT, ACL_FLOAT16};

    const HEAD: [f32; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

    /// A quarter turn: `(a, b)` becomes `(-b, a)`.
    fn quarter(stride: usize) -> Vec<f32> {
        rotate(&HEAD, &[0.0; 8], &[1.0; 8], stride, ACL_FLOAT)
    }

    #[test]
    fn pairs_are_a_stride_apart() {
        assert_eq!(quarter(4), [-5.0, -6.0, -7.0, -8.0, 1.0, 2.0, 3.0, 4.0], "halves");
        assert_eq!(quarter(2), [-3.0, -4.0, 1.0, 2.0, -7.0, -8.0, 5.0, 6.0], "halves of halves");
        assert_eq!(quarter(1), [-2.0, 1.0, -4.0, 3.0, -6.0, 5.0, -8.0, 7.0], "neighbours");
    }

    #[test]
    fn each_element_has_its_own_angle() {
        let cos = [1.0, 0.5, 0.25, 0.125];
        let sin = [2.0, 4.0, 8.0, 16.0];
        let turned = rotate(&[1.0, 2.0, 3.0, 4.0], &cos, &sin, 2, ACL_FLOAT);
        assert_eq!(turned, [1.0 - 6.0, 1.0 - 16.0, 0.75 + 8.0, 0.5 + 32.0]);
    }

    #[test]
    fn halves_are_rounded_three_times() {
        // 3 * (1 + 2^-10) has 12 significant bits and is a tie in fp16, so the product rounds before the sum does.
        let cos = 1.0 + 1.0 / 1024.0;
        let x = 3.0;
        let narrow = rotate(&[x, 1.0], &[cos, 1.0], &[1.0, 1.0], 1, ACL_FLOAT16);
        let wide = rotate(&[x, 1.0], &[cos, 1.0], &[1.0, 1.0], 1, ACL_FLOAT);
        assert_eq!(wide[0], 3.0 * cos - 1.0);
        assert_eq!(narrow[0], 3.0 + 4.0 / 1024.0 - 1.0, "3 + 3/1024 ties to 3 + 4/1024");
    }
}
