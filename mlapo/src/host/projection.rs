//! An int8 projection with what surrounds its product: quantisation before, de-quantisation after.

use super::int8::Matrix;
use super::isa::{Isa, MAX_BLOCK};
use super::rows::{self, Rescale};
use super::tile::{Tile, WIDTH};
use crate::config::{Config, Dtype};
use crate::numeric::to_f32;
use crate::weights::{ActivationQuant, Norm, Projection};

/// A norm's scale and shift as f32.
#[derive(Debug)]
struct WideNorm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

/// Quantisation of the projection's input.
#[derive(Debug)]
enum InputQuant {
    PerTensor { rescale: Rescale, offset: f32 },
    PerToken,
}

/// RMSNorm (if any), quantisation, int8 product and de-quantisation.
#[derive(Debug)]
pub(super) struct QuantizedLinear {
    isa: Isa,
    dtype: Dtype,
    epsilon: f32,
    norm: Option<WideNorm>,
    input: InputQuant,
    matrix: Matrix,
    /// For each panel the outputs' scales; zeros where a section is filled up.
    descale: Vec<[f32; WIDTH]>,
    /// For each panel the outputs' biases; zeros in per-token mode, which has none.
    bias: Vec<[i32; WIDTH]>,
}

/// What quantisation left for one block of tokens.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    /// Tokens in the block.
    pub(super) tokens: usize,
    /// Operand words `[group][token]`.
    pub(super) words: &'a [u32],
    /// The scale of each token; unused in per-tensor mode.
    pub(super) scales: &'a [f32],
}

impl QuantizedLinear {
    /// Packs a projection with `columns` inputs whose outputs come in sections (see [`Matrix::pack`]).
    pub(super) fn new(
        isa: Isa,
        config: &Config,
        norm: Option<&Norm>,
        projection: &Projection,
        columns: usize,
        section: usize,
    ) -> Self {
        let widen = |bits: &[u16]| bits.iter().map(|b| to_f32(*b, config.dtype)).collect();
        let (input, bias) = match &projection.input {
            ActivationQuant::PerTensor { scale, offset, bias } => {
                let scale = to_f32(*scale, config.dtype);
                let rescale =
                    if config.input_norm { Rescale::Multiply(1.0 / scale) } else { Rescale::Divide(scale) };
                (InputQuant::PerTensor { rescale, offset: f32::from(*offset) }, pad(bias, section))
            }
            ActivationQuant::PerToken => (InputQuant::PerToken, Vec::new()),
        };
        Self {
            isa,
            dtype: config.dtype,
            epsilon: config.epsilon,
            norm: norm.map(|n| WideNorm { gamma: widen(&n.gamma), beta: widen(&n.beta) }),
            input,
            matrix: Matrix::pack(isa, &projection.weight, columns, section),
            descale: pad(&projection.descale, section),
            bias,
        }
    }

    /// Panels of outputs.
    pub(super) fn panels(&self) -> usize {
        self.matrix.panels()
    }

    /// Width of the input.
    pub(super) fn columns(&self) -> usize {
        self.matrix.columns()
    }

    /// Operand words of one token.
    pub(super) fn words(&self) -> usize {
        self.matrix.words()
    }

    /// Normalises and quantises a row (overwritten) into position `token` of a block of `tokens`; returns its scale.
    pub(super) fn stage(
        &self,
        row: &mut [f32],
        codes: &mut [i8],
        token: usize,
        tokens: usize,
        words: &mut [u32],
    ) -> f32 {
        if let Some(norm) = &self.norm {
            let rms = rows::rms(self.isa, row, self.epsilon);
            rows::norm(self.isa, row, rms, &norm.gamma, &norm.beta);
        }
        let scale = match self.input {
            InputQuant::PerTensor { rescale, offset } => {
                rows::quantize(self.isa, row, rescale, offset, codes);
                1.0
            }
            InputQuant::PerToken => rows::quantize_dynamic(self.isa, row, codes),
        };
        self.matrix.stage(codes, token, tokens, words);
        scale
    }

    /// Outputs of one panel for a block, rounded to the 16-bit type: `(acc + bias) * descale`, or per token
    /// `acc * descale * scale`, left to right.
    pub(super) fn tile(&self, panel: usize, staged: &Staged<'_>, out: &mut Tile<f32>) {
        let mut sums = [[0; WIDTH]; MAX_BLOCK];
        self.matrix.tile(panel, staged.words, staged.tokens, &mut sums);
        let descale = &self.descale[panel];
        let rows = out.iter_mut().zip(&sums).take(staged.tokens);
        for (t, (out, sums)) in rows.enumerate() {
            match self.input {
                InputQuant::PerTensor { .. } => {
                    let terms = sums.iter().zip(&self.bias[panel]).zip(descale);
                    for (value, ((sum, bias), descale)) in out.iter_mut().zip(terms) {
                        // Exact in f64, and rounded to f32 once, also where an int32 sum would overflow.
                        *value = (f64::from(*sum) + f64::from(*bias)) as f32 * descale;
                    }
                }
                InputQuant::PerToken => {
                    for (value, (sum, descale)) in out.iter_mut().zip(sums.iter().zip(descale)) {
                        *value = *sum as f32 * descale * staged.scales[t];
                    }
                }
            }
            rows::round(self.isa, self.dtype, out);
        }
    }
}

/// Lays values out by panels, each section filled up to whole panels.
fn pad<T: Copy + Default>(values: &[T], section: usize) -> Vec<[T; WIDTH]> {
    let panels = values.chunks(section).flat_map(|section| section.chunks(WIDTH));
    panels
        .map(|panel| {
            let mut padded = [T::default(); WIDTH];
            padded[..panel.len()].copy_from_slice(panel);
            padded
        })
        .collect()
}
