//! Rotary position embedding.

/// Rotary position embedding of queries and keys (`atb::infer::RopeParam`).
///
/// * Inputs: query `[tokens, query size]` and key `[tokens, key size]` 16-bit, whose sizes are multiples of the heads' size; cos and
///   sin `[tokens, head size]`, 16-bit or Float32; seqLen `[batch]` Int32, the tokens of each sequence.
/// * Outputs: query and key, rotated.
///
/// The lengths are addresses to the device: executions are `unsafe`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// What is rotated with what (`rotaryCoeff`): 2 pairs element `i` with `i + half`; the heads' size pairs neighbours; 4, the
    /// default, does the former in each half.
    pub rotary_coeff: i32,
    /// Of training; 0 or 1 (`cosFormat`).
    pub cos_format: i32,
}

impl Default for Rope {
    fn default() -> Self {
        Self { rotary_coeff: 4, cos_format: 0 }
    }
}

impl super::sealed::Sealed for Rope {}
plain_param!(Rope: atb_rope_param, "Rope", addresses: true { rotary_coeff: rotaryCoeff, cos_format: cosFormat });
