//! The three forms in which queries and cache rows leave the operation.

use super::columns::ColumnsMut;
use crate::call::{Elements, Outputs};

/// A latent part and a rotary part, by cache mode; `H` holds 16-bit values and `I` int8 values.
#[derive(Debug)]
pub(super) enum Form<H, I> {
    /// Latent, then rotary part, in one row.
    Combined(H),
    /// Two tensors of 16-bit values.
    Split {
        /// Latent part.
        latent: H,
        /// Rotary part.
        rope: H,
    },
    /// An int8 latent part.
    Int8 {
        /// Latent part.
        latent: I,
        /// Rotary part.
        rope: H,
    },
}

/// Rows of a [`Form`].
pub(super) type FormRows<'a> = Form<&'a mut [u16], &'a mut [i8]>;
/// A range of heads of a [`Form`].
pub(super) type FormColumns<'a> = Form<ColumnsMut<'a, u16>, ColumnsMut<'a, i8>>;

impl<'a> FormRows<'a> {
    fn new(combined: bool, latent: Elements<'a>, rope: &'a mut [u16]) -> Self {
        match latent {
            Elements::Half(row) if combined => Self::Combined(row),
            Elements::Half(latent) => Self::Split { latent, rope },
            Elements::Int8(latent) => Self::Int8 { latent, rope },
        }
    }
}

impl<'a> FormColumns<'a> {
    /// All heads of queries `[tokens, heads, width]`.
    pub(super) fn new(form: FormRows<'a>, tokens: usize) -> Self {
        fn columns<T>(matrix: &mut [T], tokens: usize) -> ColumnsMut<'_, T> {
            let width = matrix.len() / tokens.max(1);
            ColumnsMut::new(matrix, width)
        }
        match form {
            Form::Combined(row) => Form::Combined(columns(row, tokens)),
            Form::Split { latent, rope } => {
                Form::Split { latent: columns(latent, tokens), rope: columns(rope, tokens) }
            }
            Form::Int8 { latent, rope } => {
                Form::Int8 { latent: columns(latent, tokens), rope: columns(rope, tokens) }
            }
        }
    }

    /// Divides after `heads` heads of the given widths.
    pub(super) fn split_at(self, heads: usize, latent_width: usize, rope_width: usize) -> (Self, Self) {
        match self {
            Form::Combined(row) => {
                let (a, b) = row.split_at(heads * (latent_width + rope_width));
                (Form::Combined(a), Form::Combined(b))
            }
            Form::Split { latent, rope } => {
                let (a, b) = latent.split_at(heads * latent_width);
                let (c, d) = rope.split_at(heads * rope_width);
                (Form::Split { latent: a, rope: c }, Form::Split { latent: b, rope: d })
            }
            Form::Int8 { latent, rope } => {
                let (a, b) = latent.split_at(heads * latent_width);
                let (c, d) = rope.split_at(heads * rope_width);
                (Form::Int8 { latent: a, rope: c }, Form::Int8 { latent: b, rope: d })
            }
        }
    }
}

/// Queries and cache rows of `count` tokens from `start`, out of checked outputs of `tokens`.
pub(super) fn chunk<'a>(
    combined: bool,
    outputs: &'a mut Outputs<'_>,
    tokens: usize,
    start: usize,
    count: usize,
) -> (FormRows<'a>, FormRows<'a>) {
    fn part<T>(all: &mut [T], tokens: usize, start: usize, count: usize) -> &mut [T] {
        let width = all.len() / tokens;
        &mut all[start * width..][..count * width]
    }
    let elements = |all: &'a mut Elements<'_>| match all {
        Elements::Half(all) => Elements::Half(part(all, tokens, start, count)),
        Elements::Int8(all) => Elements::Int8(part(all, tokens, start, count)),
    };
    let rope = |all: &'a mut Option<&mut [u16]>| match all {
        Some(all) => part(all, tokens, start, count),
        None => &mut [],
    };
    let queries = FormRows::new(combined, elements(&mut outputs.q_out0), rope(&mut outputs.q_out1));
    let keys = FormRows::new(combined, elements(&mut outputs.kv_rows0), rope(&mut outputs.kv_rows1));
    (queries, keys)
}
