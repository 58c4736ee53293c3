//! The 16-bit key up-projection, packed once for its absorption into the query.

use rayon::prelude::*;

use super::isa::Isa;
use super::simd;
use super::tile::{Line16, Tile, WIDTH};
use crate::config::Dtype;

/// `wuk` `[heads, nope, latent]`, packed for each head in panels of [`WIDTH`] latent columns, `[nope][WIDTH]` each.
///
/// A bf16 line holds column `i` beside column `i + 16`: a shift and a mask of its 32-bit lanes then give both halves
/// as f32, in order. An fp16 line holds its columns in order, as the conversion instruction wants them.
#[derive(Debug)]
pub(super) struct Keys {
    isa: Isa,
    dtype: Dtype,
    nope: usize,
    panels_per_head: usize,
    lines: Vec<Line16>,
}

impl Keys {
    /// Packs `wuk` `[heads, nope, latent]`; `latent` is a multiple of [`WIDTH`], as [`Config`](crate::Config) has it.
    pub(super) fn pack(isa: Isa, dtype: Dtype, wuk: &[u16], nope: usize, latent: usize) -> Self {
        let panels_per_head = latent / WIDTH;
        let mut lines = vec![Line16([0; WIDTH]); wuk.len() / WIDTH];
        lines.par_chunks_mut(nope).enumerate().for_each(|(panel, lines)| {
            let head = panel / panels_per_head;
            let column = panel % panels_per_head * WIDTH;
            let rows = wuk[head * nope * latent..][..nope * latent].chunks_exact(latent);
            for (line, row) in lines.iter_mut().zip(rows) {
                let columns = &row[column..column + WIDTH];
                match dtype {
                    Dtype::Fp16 => line.0.copy_from_slice(columns),
                    Dtype::Bf16 => {
                        let (low, high) = columns.split_at(WIDTH / 2);
                        for (pair, (l, h)) in
                            line.0.as_chunks_mut::<2>().0.iter_mut().zip(low.iter().zip(high))
                        {
                            *pair = [*l, *h];
                        }
                    }
                }
            }
        });
        Self { isa, dtype, nope, panels_per_head, lines }
    }

    /// Panels of one head.
    pub(super) fn panels(&self) -> usize {
        self.panels_per_head
    }

    /// The f32 sums of one panel of a head for a block of tokens; `queries` are `[nope][token]`.
    pub(super) fn tile(
        &self,
        head: usize,
        panel: usize,
        queries: &[f32],
        tokens: usize,
        out: &mut Tile<f32>,
    ) {
        let lines = &self.lines[(head * self.panels_per_head + panel) * self.nope..][..self.nope];
        simd::half_tile(self.isa, self.dtype, lines, queries, tokens, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numeric;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Every path against the defining sum in f64, within the bound of f32 summation; and bit for bit the same
        /// for every instruction set.
        #[test]
        fn absorption_is_the_defining_sum(
            bf16 in any::<bool>(),
            heads in 1..4usize, nope in 1..5usize, latent in 1..4usize, tokens in 1..13usize, seed in any::<u32>(),
        ) {
            let dtype = if bf16 { Dtype::Bf16 } else { Dtype::Fp16 };
            let (nope, latent) = (16 * nope, 32 * latent);
            let value = |i: usize| {
                let h = (i as u32).wrapping_add(seed).wrapping_mul(0x9e37_79b9) ^ seed;
                numeric::from_f32((h.wrapping_mul(0x85eb_ca6b) as i32) as f32 / 1e9, dtype)
            };
            let wuk: Vec<u16> = (0..heads * nope * latent).map(value).collect();
            let queries: Vec<f32> =
                (0..nope * tokens).map(|i| numeric::to_f32(value(i + 7_000_000), dtype)).collect();
            let mut first: Option<Vec<u32>> = None;
            for isa in Isa::available() {
                let keys = Keys::pack(isa, dtype, &wuk, nope, latent);
                let mut bits = Vec::new();
                for head in 0..heads {
                    for panel in 0..keys.panels() {
                        for start in (0..tokens).step_by(isa.block()) {
                            let n = isa.block().min(tokens - start);
                            let block: Vec<f32> = (0..nope)
                                .flat_map(|k| &queries[k * tokens + start..][..n])
                                .copied()
                                .collect();
                            let mut tile = [[f32::NAN; WIDTH]; crate::host::isa::MAX_BLOCK];
                            keys.tile(head, panel, &block, n, &mut tile);
                            for (t, row) in tile[..n].iter().enumerate() {
                                for (c, got) in row.iter().enumerate() {
                                    let terms = (0..nope).map(|k| {
                                        let w = wuk[(head * nope + k) * latent + panel * WIDTH + c];
                                        f64::from(queries[k * tokens + start + t]) * f64::from(numeric::to_f32(w, dtype))
                                    });
                                    let (sum, size) =
                                        terms.fold((0.0, 0.0), |(s, a), x| (s + x, a + x.abs()));
                                    let bound = nope as f64 * f64::from(f32::EPSILON) * size;
                                    prop_assert!((f64::from(*got) - sum).abs() <= bound, "{isa:?}: {got} {sum}");
                                    bits.push(((head, panel, start + t, c), got.to_bits()));
                                }
                            }
                        }
                    }
                }
                bits.sort_unstable();
                let bits: Vec<u32> = bits.into_iter().map(|(_, b)| b).collect();
                prop_assert_eq!(first.get_or_insert(bits.clone()), &bits, "{:?}", isa);
            }
        }
    }
}
