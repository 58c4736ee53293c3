//! The shape of a call with made-up weights, as options.

use mlapo::{Config, Error};

use crate::choice::{CacheChoice, DtypeChoice, QuantChoice};

/// What to call the operation with: DeepSeek-V3 if nothing else is asked for.
#[derive(clap::Args)]
pub struct Shape {
    /// Tokens of the call
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=65536))]
    tokens: u32,
    /// Query heads
    #[arg(long, value_name = "N", default_value_t = 128)]
    heads: usize,
    /// Width of the hidden state
    #[arg(long, value_name = "N", default_value_t = 7168)]
    hidden_size: usize,
    /// Type of the activations
    #[arg(long, value_enum, default_value_t = DtypeChoice::Bf16)]
    dtype: DtypeChoice,
    /// Layout of the paged cache
    #[arg(long, value_enum, default_value_t = CacheChoice::Split)]
    cache: CacheChoice,
    /// Quantisation of the activations
    #[arg(long, value_enum, default_value_t = QuantChoice::PerTensor)]
    quant: QuantChoice,
    /// The hidden state comes normalised and is only quantised
    #[arg(long)]
    no_input_norm: bool,
}

impl Shape {
    /// Tokens of the call.
    pub fn tokens(&self) -> usize {
        self.tokens as usize
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config, Error> {
        Config::deepseek_v3()
            .hidden_size(self.hidden_size)
            .num_heads(self.heads)
            .dtype(self.dtype.into())
            .cache_mode(self.cache.into())
            .quant_mode(self.quant.into())
            .input_norm(!self.no_input_norm)
            .build()
    }
}
