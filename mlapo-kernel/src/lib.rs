//! The fused MLAPO kernel in Ascend C, its tiling in Rust and its built artefacts: not written yet.
