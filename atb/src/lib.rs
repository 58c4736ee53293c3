//! Safe Rust for ATB (contexts, operations, variant packs), on top of `ascendcl`: not written yet.
