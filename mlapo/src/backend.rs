//! Which implementation computes.

use std::fmt;
use std::str::FromStr;

use crate::error::{ConfigError, Error};
use crate::reference::Order;

/// An implementation of the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The best that there is: at present [`Host`](Self::Host).
    #[default]
    Auto,
    /// The host's processors, fast, in the device's order of rounding.
    Host,
    /// The plain reference, slow, in the order of rounding that is asked for.
    Reference(Order),
}

impl Backend {
    /// What [`Auto`](Self::Auto) stands for; the others stand for themselves.
    pub const fn resolve(self) -> Self {
        match self {
            Self::Auto => Self::Host,
            other => other,
        }
    }

    /// The order in which it rounds.
    pub const fn order(self) -> Order {
        match self {
            Self::Auto | Self::Host => Order::Kernel,
            Self::Reference(order) => order,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Host => "host",
            Self::Reference(Order::Kernel) => "reference",
            Self::Reference(Order::Golden) => "reference-golden",
        })
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "auto" => Ok(Self::Auto),
            "host" => Ok(Self::Host),
            "reference" => Ok(Self::Reference(Order::Kernel)),
            "reference-golden" => Ok(Self::Reference(Order::Golden)),
            other => Err(ConfigError {
                field: "backend",
                expected: "auto, host, reference or reference-golden".into(),
                got: format!("`{other}`"),
            }
            .into()),
        }
    }
}
