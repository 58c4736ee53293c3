//! Activation functions.

c_enum! {
    /// Which activation function (`atb::infer::ActivationType`).
    ActivationType: i32 {
        /// None is chosen: the library refuses it (`ACTIVATION_UNDEFINED`).
        #[default]
        Undefined = 0,
        /// `max(x, 0)` (`ACTIVATION_RELU`).
        Relu = 1,
        /// GELU, see [`GeluMode`] (`ACTIVATION_GELU`).
        Gelu = 2,
        /// A faster approximation of GELU (`ACTIVATION_FAST_GELU`).
        FastGelu = 3,
        /// `x * sigmoid(scale * x)` (`ACTIVATION_SWISH`).
        Swish = 4,
        /// The natural logarithm (`ACTIVATION_LOG`).
        Log = 5,
        /// Swish of the first half times the second half (`ACTIVATION_SWIGLU_FORWARD`).
        SwigluForward = 6,
        /// The gradient of [`SwigluForward`](Self::SwigluForward) (`ACTIVATION_SWIGLU_BACKWARD`).
        SwigluBackward = 7,
        /// The logistic function (`ACTIVATION_SIGMOID`).
        Sigmoid = 8,
        /// A still faster approximation of GELU (`ACTIVATION_FASTER_GELU_FORWARD`).
        FasterGeluForward = 9,
    }
}

c_enum! {
    /// How GELU is computed (`ActivationParam::GeLUMode`).
    GeluMode: i32 {
        /// By its approximation with tanh (`TANH_MODE`).
        #[default]
        Tanh = 0,
        /// By the error function (`NONE_MODE`).
        None = 1,
    }
}

/// An activation function (`atb::infer::ActivationParam`).
///
/// * Input: `x`, of any shape, Float32 or 16-bit. [`ActivationType::SwigluBackward`] takes the gradient, shaped like the
///   forward output, and then `x`.
/// * Output: like the input; for [`ActivationType::SwigluForward`] half as long in the dimension [`dim`](Self::dim).
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    /// Which function (`activationType`).
    pub activation_type: ActivationType,
    /// Factor of [`ActivationType::Swish`] (`scale`); 1 by default.
    pub scale: f32,
    /// Dimension that SwiGLU halves, negative ones counted from the end (`dim`); -1 by default.
    pub dim: i32,
    /// How GELU is computed (`geluMode`).
    pub gelu_mode: GeluMode,
}

impl Activation {
    /// A function with defaults for the rest.
    pub fn of(activation_type: ActivationType) -> Self {
        Self { activation_type, ..Self::default() }
    }
}

impl Default for Activation {
    fn default() -> Self {
        Self { activation_type: ActivationType::Undefined, scale: 1.0, dim: -1, gelu_mode: GeluMode::Tanh }
    }
}

impl super::sealed::Sealed for Activation {}
impl super::SelfContained for Activation {}
plain_param!(Activation: atb_activation_param, "Activation", addresses: false {
    activation_type: activationType, scale: scale, dim: dim, gelu_mode: geluMode,
});
