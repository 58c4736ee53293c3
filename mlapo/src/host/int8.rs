//! int8 weights packed once for the product with int8 activations.

use rayon::prelude::*;

use super::isa::Isa;
use super::simd;
use super::tile::{Line8, Tile, WIDTH};

/// An int8 matrix `[outputs, columns]`, packed in panels of [`WIDTH`] outputs.
///
/// A panel runs over the columns in groups of [`Isa::group`]; each group is `[WIDTH][group]` bytes. So a product
/// streams a panel front to back, once for a block of tokens.
#[derive(Debug)]
pub(super) struct Matrix {
    isa: Isa,
    columns: usize,
    lines: Vec<Line8>,
    /// What each output's sum starts from: it cancels the offset of unsigned activations.
    starts: Vec<[i32; WIDTH]>,
}

/// `vpdpbusd` takes one operand unsigned: activations are shifted by this, and sums by its product with the weights.
const UNSIGNED_OFFSET: i32 = 128;

impl Matrix {
    /// Packs `weight` `[outputs, columns]`; every `section` outputs start a new panel, filled up with zeros.
    ///
    /// `columns` is a multiple of 32, as [`Config`](crate::Config) has it.
    pub(super) fn pack(isa: Isa, weight: &[i8], columns: usize, section: usize) -> Self {
        let outputs = weight.len() / columns;
        let per_section = section.div_ceil(WIDTH);
        let panels = outputs / section * per_section;
        let lines_per_panel = columns * WIDTH / size_of::<Line8>();
        let mut lines = vec![Line8([0; 64]); panels * lines_per_panel];
        let mut starts = vec![[0; WIDTH]; panels];
        lines.par_chunks_mut(lines_per_panel).zip(&mut starts).enumerate().for_each(
            |(panel, (lines, start))| {
                let first = panel / per_section * section + panel % per_section * WIDTH;
                let last = (first + WIDTH).min((panel / per_section + 1) * section);
                for (r, row) in weight[first * columns..last * columns].chunks_exact(columns).enumerate() {
                    pack_row(isa.group(), row, r, lines);
                    if isa.group() == 4 {
                        let sum: i32 = row.iter().map(|w| i32::from(*w)).sum();
                        // At most 65536 columns of -128 or more: 2^30.
                        start[r] = -UNSIGNED_OFFSET * sum;
                    }
                }
            },
        );
        Self { isa, columns, lines, starts }
    }

    /// Panels in the matrix.
    pub(super) fn panels(&self) -> usize {
        self.starts.len()
    }

    /// Width of the input.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Operand words of one token.
    pub(super) fn words(&self) -> usize {
        self.columns / self.isa.group()
    }

    /// Writes a token's quantised activations `codes` as operands of a block of `tokens`, at position `token`.
    ///
    /// A word holds one group of columns, as the instruction multiplies it: four bytes with an offset of 128, or two
    /// signed 16-bit integers. Words of a block lie `[group][token]`.
    pub(super) fn stage(&self, codes: &[i8], token: usize, tokens: usize, block: &mut [u32]) {
        let words = block.iter_mut().skip(token).step_by(tokens);
        if self.isa.group() == 4 {
            for (word, c) in words.zip(codes.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(c.map(i8::cast_unsigned)) ^ 0x8080_8080;
            }
        } else {
            for (word, c) in words.zip(codes.as_chunks::<2>().0) {
                let [low, high] = c.map(|v| u32::from(i16::from(v).cast_unsigned()));
                *word = low | high << 16;
            }
        }
    }

    /// The exact int32 sums of one panel for a block of staged tokens.
    pub(super) fn tile(&self, panel: usize, block: &[u32], tokens: usize, out: &mut Tile<i32>) {
        let per_panel = self.lines.len() / self.starts.len();
        let lines = &self.lines[panel * per_panel..][..per_panel];
        simd::int8_tile(self.isa, lines, block, tokens, &self.starts[panel], out);
    }
}

fn pack_row(group: usize, row: &[i8], r: usize, lines: &mut [Line8]) {
    // Bytes of a group of columns, over all outputs of the panel.
    let stride = WIDTH * group;
    for (g, columns) in row.chunks_exact(group).enumerate() {
        let at = g * stride + r * group;
        lines[at / 64].0[at % 64..][..group].copy_from_slice(columns);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every path against the defining sum in 64 bits.
    fn check(weight: &[i8], x: &[i8], columns: usize, section: usize) {
        let outputs = weight.len() / columns;
        let tokens = x.len() / columns;
        for isa in Isa::available() {
            let matrix = Matrix::pack(isa, weight, columns, section);
            for (b, rows) in x.chunks(isa.block() * columns).enumerate() {
                let n = rows.len() / columns;
                let mut block = vec![0; n * matrix.words()];
                for (t, row) in rows.chunks(columns).enumerate() {
                    matrix.stage(row, t, n, &mut block);
                }
                let mut tile = [[i32::MIN; WIDTH]; crate::host::isa::MAX_BLOCK];
                for panel in 0..matrix.panels() {
                    matrix.tile(panel, &block, n, &mut tile);
                    let per_section = section.div_ceil(WIDTH);
                    for (t, sums) in tile[..n].iter().enumerate() {
                        for (r, got) in sums.iter().enumerate() {
                            let in_section = panel % per_section * WIDTH + r;
                            let expected: i64 = if in_section < section {
                                let o = panel / per_section * section + in_section;
                                assert!(o < outputs && b * isa.block() + t < tokens);
                                (0..columns)
                                    .map(|k| {
                                        i64::from(weight[o * columns + k]) * i64::from(rows[t * columns + k])
                                    })
                                    .sum()
                            } else {
                                0
                            };
                            assert_eq!(
                                i64::from(*got),
                                expected,
                                "{isa:?} panel {panel} token {t} output {r}"
                            );
                        }
                    }
                }
            }
        }
    }

    fn extremes() -> impl Strategy<Value = i8> {
        prop_oneof![4 => any::<i8>(), 1 => Just(i8::MIN), 1 => Just(i8::MAX), 1 => Just(0)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn product_is_exact(
            (columns, section, weight, x) in (1..6usize, 1..6usize, 1..4usize, 1..15usize).prop_flat_map(
                |(k, s, sections, tokens)| (
                    Just(32 * k),
                    Just(16 * s),
                    prop::collection::vec(extremes(), 32 * k * 16 * s * sections),
                    prop::collection::vec(extremes(), 32 * k * tokens),
                )
            )
        ) {
            check(&weight, &x, columns, section);
        }
    }

    #[test]
    fn largest_sums_do_not_saturate() {
        const COLUMNS: usize = 1 << 16;
        for w in [i8::MIN, i8::MAX] {
            for a in [i8::MIN, i8::MAX] {
                check(&vec![w; 16 * COLUMNS], &vec![a; COLUMNS], COLUMNS, 16);
            }
        }
    }

    /// Neighboring pairs of the largest products: what a saturating 16-bit addition gets wrong.
    #[test]
    fn pairs_of_largest_products_do_not_saturate() {
        let weight: Vec<i8> = (0..32 * 64).map(|i| if i / 2 % 2 == 0 { -128 } else { 127 }).collect();
        for a in [-128, 127] {
            check(&weight, &[a; 64 * 13], 64, 32);
        }
    }
}
