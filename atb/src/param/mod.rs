//! Parameters: what an operation is made from.
//!
//! Each has the fields of its C++ counterpart with the same defaults, and says which tensors the operation takes and gives.
//! In shapes, `tokens`, `heads` and the like are whatever fits; "16-bit" is Float16 or Bf16, the same for all tensors of
//! the operation. What the library checks and what it does not follows ATB's source.

#[macro_use]
mod fields;

mod activation;
mod concat;
mod elewise;
mod gather;
mod linear;
mod mla_preprocess;
mod multi_latent_attention;
mod paged_attention;
mod reshape_and_cache;
mod rms_norm;
mod rope;
mod rope_q_concat;
mod slice;
mod softmax;
mod split;
mod transdata;
mod transpose;

use std::fmt::Debug;

pub use self::activation::{Activation, ActivationType, GeluMode};
pub use self::concat::Concat;
pub use self::elewise::{Elewise, ElewiseType};
pub use self::gather::Gather;
pub use self::linear::{Linear, LinearQuantMode, MatmulType};
pub use self::mla_preprocess::{CacheMode, MlaPreprocess, MlaQuantMode};
pub use self::multi_latent_attention::{MaskUseStatusType, MlaCalcType, MlaMaskType, MultiLatentAttention};
pub use self::paged_attention::{
    InputLayout, PagedAttention, PagedCalcType, PagedCompressType, PagedMaskType, PagedQuantType, ScaleType,
};
pub use self::reshape_and_cache::{CacheCompressType, KvCacheCfg, ReshapeAndCache};
pub use self::rms_norm::{
    DynamicQuantType, ModelType, NormParam, PrecisionMode, QuantType, ResidualNormParam, RmsNorm, RmsNormType,
};
pub use self::rope::Rope;
pub use self::rope_q_concat::RopeQConcat;
pub use self::slice::Slice;
pub use self::softmax::Softmax;
pub use self::split::Split;
pub use self::transdata::{Transdata, TransdataType};
pub use self::transpose::Transpose;

use crate::error::Result;
use crate::raw::param::RawParam;

pub(crate) mod sealed {
    /// Keeps implementations in this crate, and says what the safe calls must know.
    pub trait Sealed {
        /// Outputs that are inputs, which the operation writes in place: (output, input).
        fn updates(&self) -> Vec<(usize, usize)> {
            Vec::new()
        }

        /// Inputs that the operation writes, and that are no output.
        fn written(&self) -> Vec<usize> {
            Vec::new()
        }
    }
}

/// What an [`Operation`](crate::Operation) is: the parameter of a single one, or a [`Graph`](crate::Graph).
pub trait Param: sealed::Sealed + Debug + Send + 'static {}

/// The parameter of a single operation.
pub trait OpParam: Param + Clone + Default + PartialEq {
    /// The operation's name in the library, without `Operation`.
    const NAME: &'static str;

    /// Whether the operation takes addresses from its inputs' data, or trusts shapes that it does not check: then its
    /// executions are `unsafe`.
    const ADDRESSES: bool;

    /// The C structure.
    #[doc(hidden)]
    type Raw: RawParam;

    /// What the C structure cannot say.
    #[doc(hidden)]
    fn check(&self) -> Result<()> {
        Ok(())
    }

    #[doc(hidden)]
    fn with_raw<R>(&self, call: impl FnOnce(&Self::Raw) -> R) -> R;

    #[doc(hidden)]
    fn from_raw(raw: &Self::Raw) -> Result<Self>;
}

/// An operation that reads and writes nothing but its tensors, whatever their data are. A [`Graph`](crate::Graph) counts as
/// one; it is found out when it is executed.
pub trait SelfContained: Param {}
