//! The operations, one file each.

pub(crate) mod activation;
pub(crate) mod concat;
pub(crate) mod elewise;
pub(crate) mod gather;
pub(crate) mod linear;
pub(crate) mod multi_latent_attention;
pub(crate) mod paged_attention;
pub(crate) mod reshape_and_cache;
pub(crate) mod rms_norm;
pub(crate) mod rope;
pub(crate) mod rope_q_concat;
pub(crate) mod slice;
pub(crate) mod softmax;
pub(crate) mod split;
pub(crate) mod transdata;
pub(crate) mod transpose;

#[cfg(test)]
mod harness;
pub(crate) mod mla_preprocess;
mod pages;
mod shape;
mod table;
