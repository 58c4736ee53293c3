//! The transforms, against formulas on the original layout.

use crate::*;
use mlapo::checkpoint::prepare;
use proptest::prelude::*;

/// Outputs of an int8 projection for an int8 input, in f64: `(w . x + bias) * descale`.
fn outputs(weight: &[i8], bias: &[i32], descale: &[f32], x: &[i8]) -> Vec<f64> {
    let row = |r: usize| {
        let w = &weight[r * x.len()..][..x.len()];
        let acc: i64 = w.iter().zip(x).map(|(w, x)| i64::from(*w) * i64::from(*x)).sum();
        (acc + i64::from(bias[r])) as f64 * f64::from(descale[r])
    };
    (0..descale.len()).map(row).collect()
}

fn angle(pair: usize) -> (f64, f64) {
    (1.3 - 0.7 * pair as f64).sin_cos()
}

/// RoPE as the model defines it on the checkpoint's order: components `2j` and `2j + 1` turn together.
fn rope_interleaved(x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for j in 0..x.len() / 2 {
        let (sin, cos) = angle(j);
        y[2 * j] = x[2 * j] * cos - x[2 * j + 1] * sin;
        y[2 * j + 1] = x[2 * j + 1] * cos + x[2 * j] * sin;
    }
    y
}

/// RoPE as the operator computes it: components `j` and `half + j` turn together.
fn rope_half(x: &[f64]) -> Vec<f64> {
    let half = x.len() / 2;
    let turn = |i: usize| {
        let (sin, cos) = angle(i % half);
        let other = if i < half { -x[half + i] } else { x[i - half] };
        x[i] * cos + other * sin
    };
    (0..x.len()).map(turn).collect()
}

/// Whether two rotated vectors are equal up to the fixed permutation between the layouts.
fn same_rotation(interleaved: &[f64], half: &[f64]) -> bool {
    let n = half.len() / 2;
    (0..n).all(|j| half[j] == interleaved[2 * j] && half[n + j] == interleaved[2 * j + 1])
}

/// The down-projection computes what `kv_a_proj_with_mqa` and `q_a_proj` compute.
fn down_is_faithful(fixture: &Fixture, down: &Projection) -> bool {
    let (model, x) = (tiny(), input(64));
    let stored = |name: &str| {
        let part = |part| fixture.get(&format!("{name}.{part}"));
        outputs(&part("weight").to_i8(), &part("quant_bias").to_i32(), &part("deq_scale").to_f32(), &x)
    };
    let (kv, q) = (stored("kv_a_proj_with_mqa"), stored("q_a_proj"));
    let got = outputs(&down.weight, bias(down), &down.descale, &x);
    let (latent, rest) = got.split_at(model.kv_lora_rank);
    let (rope, q_latent) = rest.split_at(model.qk_rope_head_dim);
    latent == &kv[..model.kv_lora_rank]
        && q_latent == q
        && same_rotation(&rope_interleaved(&kv[model.kv_lora_rank..]), &rope_half(rope))
}

/// The up-projection computes what `q_b_proj` computes, head by head.
fn up_is_faithful(fixture: &Fixture, up: &Projection) -> bool {
    let (model, x) = (tiny(), input(32));
    let part = |part| fixture.get(&format!("q_b_proj.{part}"));
    let stored =
        outputs(&part("weight").to_i8(), &part("quant_bias").to_i32(), &part("deq_scale").to_f32(), &x);
    let got = outputs(&up.weight, bias(up), &up.descale, &x);
    let nope = model.qk_nope_head_dim;
    let size = nope + model.qk_rope_head_dim;
    assert_eq!(got.len(), stored.len());
    stored.chunks(size).zip(got.chunks(size)).all(|(stored, got)| {
        stored[..nope] == got[..nope]
            && same_rotation(&rope_interleaved(&stored[nope..]), &rope_half(&got[nope..]))
    })
}

#[test]
fn prepared_projections_compute_what_the_checkpoint_defines() {
    for dtype in [Dtype::Bf16, Dtype::Fp16] {
        let fixture = Fixture::new(dtype, QuantMode::PerTensor);
        let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
        assert!(down_is_faithful(&fixture, &weights.down));
        assert!(up_is_faithful(&fixture, &weights.up));
    }
}

/// The check above has teeth: it fails as soon as weight, scale or bias alone has the checkpoint's row order.
#[test]
fn one_unpermuted_part_is_noticed() {
    let model = tiny();
    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerTensor);
    let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
    // The inverse of the preparation, on the rows of one rotary part that begins at `first`.
    fn undo<T: Copy>(values: &mut [T], columns: usize, first: usize, rope: usize) {
        let half_layout = values[first * columns..(first + rope) * columns].to_vec();
        for i in 0..rope {
            let from = if i % 2 == 0 { i / 2 } else { rope / 2 + i / 2 };
            values[(first + i) * columns..][..columns]
                .copy_from_slice(&half_layout[from * columns..][..columns]);
        }
    }
    for part in 0..3 {
        for up in [false, true] {
            let mut planted = if up { weights.up.clone() } else { weights.down.clone() };
            let (columns, first) = if up { (32, 48 + 16) } else { (64, model.kv_lora_rank) };
            match (part, &mut planted.input) {
                (0, _) => undo(&mut planted.weight, columns, first, 32),
                (1, _) => undo(&mut planted.descale, 1, first, 32),
                (_, ActivationQuant::PerTensor { bias, .. }) => undo(bias, 1, first, 32),
                _ => unreachable!(),
            }
            let faithful =
                if up { up_is_faithful(&fixture, &planted) } else { down_is_faithful(&fixture, &planted) };
            assert!(!faithful, "part {part} of {}", if up { "up" } else { "down" });
        }
    }
}

#[test]
fn the_key_up_projection_is_the_published_transpose() {
    let model = tiny();
    let fixture = Fixture::new(Dtype::Bf16, QuantMode::PerToken);
    let (_, weights) = fixture.load(&LoadOptions::default()).unwrap();
    let (stored, latent) = (fixture.get("kv_b_proj.weight").to_u16(), model.kv_lora_rank);
    let (nope, per_head) = (model.qk_nope_head_dim, model.qk_nope_head_dim + model.v_head_dim);
    let outputs = model.num_heads * per_head;
    // Weight transposed to [latent, heads, nope + v], split, and permuted to [heads, nope, latent].
    let transposed: Vec<_> = (0..latent)
        .flat_map(|l| (0..outputs).map(move |o| (o, l)))
        .map(|(o, l)| stored[o * latent + l])
        .collect();
    for (head, n, l) in (0..4).flat_map(|h| (0..nope).flat_map(move |n| (0..latent).map(move |l| (h, n, l))))
    {
        let expected = transposed[l * outputs + head * per_head + n];
        assert_eq!(weights.wuk[(head * nope + n) * latent + l], expected);
    }
    assert_eq!(weights.wuk.len(), 4 * nope * latent);
}

proptest! {
    /// The preparation against its definition, element by element; lengths that do not fit are errors.
    #[test]
    fn preparation_is_the_published_permutation(
        fixed in 0..5usize, pairs in 0..5usize, columns in 1..4usize, heads in 1..4usize,
    ) {
        let (rope, rows) = (2 * pairs, fixed + 2 * pairs);
        let values: Vec<usize> = (0..heads * rows * columns).collect();
        let source = |row: usize| match row.checked_sub(fixed) {
            None => row,
            Some(i) if i < pairs => fixed + 2 * i,
            Some(i) => fixed + 2 * (i - pairs) + 1,
        };
        let expected: Vec<usize> = (0..heads * rows)
            .flat_map(|r| (0..columns).map(move |c| (r, c)))
            .map(|(r, c)| (r / rows * rows + source(r % rows)) * columns + c)
            .collect();
        if rows > 0 {
            let up = prepare::up(&values, columns, 0..heads, fixed, rope).unwrap();
            prop_assert_eq!(&up, &expected);
            let one = &values[..rows * columns];
            let kv = prepare::trans_rope_weight(one, columns, rope).unwrap();
            prop_assert_eq!(&kv, &expected[..rows * columns]);
            let down = prepare::down(one, &values, columns, rope).unwrap();
            prop_assert_eq!(down, [&kv[..], &values[..]].concat());
        }
        prop_assert!(prepare::up(&values, columns, 0..heads + 1, fixed, rope).is_err());
    }

    #[test]
    fn preparation_of_anything_never_panics(
        len in 0..100usize,
        columns in prop_oneof![0..9usize, Just(usize::MAX)],
        range in (0..9usize, 0..9usize),
        nope in prop_oneof![0..9usize, Just(usize::MAX)],
        rope in prop_oneof![0..9usize, Just(usize::MAX)],
    ) {
        let values = vec![0u8; len];
        let _ = prepare::trans_rope_weight(&values, columns, rope);
        let _ = prepare::down(&values, &values, columns, rope);
        let _ = prepare::up(&values, columns, range.0..range.1, nope, rope);
        let _ = prepare::key_up(&values, columns, range.0..range.1, nope, rope);
    }
}
