//! The instruction sets that the inner loops are written for, and the choice among them at run time.

/// An instruction set that this processor has.
///
/// Holding one is the proof: only the functions below make them, after asking the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Isa(Kind);

/// What an [`Isa`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// AVX-512 F, BW, DQ, VL and VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Plain Rust.
    Portable,
}

/// The largest [`Isa::block`].
pub(super) const MAX_BLOCK: usize = 12;

impl Isa {
    /// The fastest instruction set of this processor.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Self(Kind::Avx512);
            }
            if has_avx2() {
                return Self(Kind::Avx2);
            }
        }
        Self(Kind::Portable)
    }

    /// Every instruction set of this processor, fastest first.
    #[cfg(test)]
    pub(super) fn available() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(has_avx512().then_some(Self(Kind::Avx512)));
            all.extend(has_avx2().then_some(Self(Kind::Avx2)));
        }
        all.push(Self(Kind::Portable));
        all
    }

    /// Which one it is.
    pub(super) const fn kind(self) -> Kind {
        self.0
    }

    /// Columns of the int8 product that are summed by one instruction, and so packed together.
    pub(super) const fn group(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 4,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 2,
            Kind::Portable => 2,
        }
    }

    /// Tokens that share one pass over a panel of weights: as many as the registers hold accumulators for.
    pub(super) const fn block(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => MAX_BLOCK,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 3,
            Kind::Portable => 4,
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}
