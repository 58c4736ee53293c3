//! Which implementation computes.

use std::fmt;
use std::str::FromStr;

use ascendcl::BackendKind;

use crate::config::Config;
use crate::error::{ConfigError, Error};
use crate::reference::Order;

/// An implementation of the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// The best that there is: [`Kernel`](Self::Kernel) if it takes the configuration, else [`Host`](Self::Host).
    /// [`Mlapo::backend`](crate::Mlapo::backend) says which.
    ///
    /// A real NPU is not left idle in silence. If the kernel does not take the configuration, the log warns that the host
    /// computes; with `ASCENDCL_BACKEND=npu` it is an error instead, [`Error::Config`]. A kernel that takes the
    /// configuration but was not built for the device is an error in any case, [`Error::NoKernel`] with the command that
    /// builds it.
    #[default]
    Auto,
    /// The fused kernel on the device's AI cores: one launch.
    Kernel,
    /// ATB's MlaPreprocess: the vendor's fused operator, for the shapes and modes that it has.
    Atb,
    /// ATB's small operators, which the fused ones replace: the baseline.
    Unfused(Launches),
    /// The host's processors, fast, in the device's order of rounding.
    Host,
    /// The plain reference, slow, in the order of rounding that is asked for.
    Reference(Order),
}

/// How the chain of small operators is launched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Launches {
    /// As one graph of ATB's, whose operators share the memory between them.
    #[default]
    Graph,
    /// One by one.
    Single,
}

impl Backend {
    /// What [`Auto`](Self::Auto) stands for with a configuration, whatever the device; the others stand for themselves.
    pub fn resolve(self, config: &Config) -> Self {
        match self {
            Self::Auto if Self::Kernel.check(config).is_ok() => Self::Kernel,
            Self::Auto => Self::Host,
            other => other,
        }
    }

    /// What [`Auto`](Self::Auto) stands for on a device of this kind: as [`resolve`](Self::resolve), unless the NPU was
    /// asked for.
    pub(crate) fn resolve_on(self, kind: BackendKind, config: &Config) -> Result<Self, Error> {
        let refusal = match (self, Self::Kernel.check(config)) {
            (Self::Auto, Err(refusal)) => refusal,
            _ => return Ok(self.resolve(config)),
        };
        match kind {
            BackendKind::Npu
                if ascendcl::Backend::from_env().is_ok_and(|asked| asked == ascendcl::Backend::Npu) =>
            {
                return Err(refusal);
            }
            BackendKind::Npu => tracing::warn!("the host computes, not the NPU: {refusal}"),
            BackendKind::Sim => tracing::info!("the host computes, not the simulated device: {refusal}"),
        }
        Ok(Self::Host)
    }

    /// Whether the backend takes a configuration at all.
    ///
    /// # Errors
    /// [`Error::Config`] with the first field that it does not take, and which backends do.
    pub fn check(self, config: &Config) -> Result<(), Error> {
        crate::operation::check(self, config)
    }

    /// The order in which it rounds; of the small operators, the one that is nearer to theirs.
    pub const fn order(self) -> Order {
        match self {
            Self::Auto | Self::Kernel | Self::Atb | Self::Unfused(_) | Self::Host => Order::Kernel,
            Self::Reference(order) => order,
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Atb => "atb",
            Self::Unfused(Launches::Graph) => "unfused",
            Self::Unfused(Launches::Single) => "unfused-single",
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
            "kernel" => Ok(Self::Kernel),
            "atb" => Ok(Self::Atb),
            "unfused" => Ok(Self::Unfused(Launches::Graph)),
            "unfused-single" => Ok(Self::Unfused(Launches::Single)),
            "host" => Ok(Self::Host),
            "reference" => Ok(Self::Reference(Order::Kernel)),
            "reference-golden" => Ok(Self::Reference(Order::Golden)),
            other => Err(ConfigError {
                field: "backend",
                expected: "auto, kernel, atb, unfused, unfused-single, host, reference or reference-golden"
                    .into(),
                got: format!("`{other}`"),
            }
            .into()),
        }
    }
}
