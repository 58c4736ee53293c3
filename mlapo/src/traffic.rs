//! What a call moves on the device: launches, and the bytes that they read and write, by the shapes of their tensors.
//!
//! ```
//! use mlapo::{Config, traffic};
//!
//! let config = Config::deepseek_v3().build()?;
//! let small = traffic::unfused(&config, 4);
//! let fused = traffic::fused(&config, 4);
//! assert!(small.len() > 9);
//! // The weights dominate, and both read them once; what lies between the operators is moved by the small ones alone.
//! assert!(small.iter().map(|launch| launch.read).sum::<u64>() > fused.read);
//! # Ok::<(), mlapo::Error>(())
//! ```

pub use crate::operation::{LaunchTraffic, fused_traffic as fused, unfused_traffic as unfused};
