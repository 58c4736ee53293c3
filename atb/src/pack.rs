//! The tensors of a call.

use std::fmt;

use ascendcl::{DataType, Touch};
use atb_sys::atb_tensor;

use crate::error::{Error, Result};
use crate::tensor::TensorDesc;
use crate::view::{Memory, View, ViewMut};

/// More tensors than this the library's containers do not take (ATB's headers: svector.h).
const MAX_TENSORS: usize = 256;

/// The inputs and outputs of a call, in the operation's order (`atb::VariantPack`).
///
/// It borrows their memory: what is written cannot be anything else in the same pack. Mistakes of the builder, such as too
/// many tensors, are reported by the call that gets the pack.
///
/// ```
/// use ascendcl::{Backend, Format, Runtime};
/// use atb::VariantPack;
/// let stream = Runtime::with_backend(Backend::Sim)?.device(0)?.stream()?;
/// let (x, y) = (stream.tensor_from(&[1f32, 2.0], Format::Nd, &[2])?, stream.alloc::<f32>(2)?);
/// let mut sum = stream.alloc::<f32>(2)?;
/// let pack = VariantPack::new().input(&x).input(&y).output(&mut sum);
/// assert_eq!((pack.input_num(), pack.output_num()), (2, 1));
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Default)]
pub struct VariantPack<'a> {
    inputs: Vec<Slot<'a>>,
    outputs: Vec<Slot<'a>>,
    /// The first mistake.
    error: Option<Error>,
}

/// One tensor of a pack.
struct Slot<'a> {
    /// `None` for a tensor that is left out.
    memory: Option<Memory<'a>>,
    host: Option<Vec<i32>>,
    /// Of an input: whether an output may be the same memory, and of an output: which input it is.
    updated: bool,
    same_as: Option<usize>,
}

impl<'a> Slot<'a> {
    fn of(memory: Memory<'a>) -> Self {
        Self { memory: Some(memory), host: None, updated: false, same_as: None }
    }

    fn desc(&self) -> TensorDesc {
        self.memory.as_ref().map_or_else(TensorDesc::none, |memory| memory.desc.clone())
    }
}

/// A pack as the library takes it, with what keeps its pointers valid.
pub(crate) struct RawPack<'a> {
    pub(crate) inputs: Vec<atb_tensor>,
    pub(crate) outputs: Vec<atb_tensor>,
    pub(crate) touches: Vec<Touch<'a>>,
    /// What `hostData` points to.
    _host: Vec<Vec<i32>>,
}

impl<'a> VariantPack<'a> {
    /// No tensor yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next input.
    #[must_use]
    pub fn input(mut self, view: impl Into<View<'a>>) -> Self {
        self.inputs.push(Slot::of(view.into().memory));
        self
    }

    /// The next input is left out.
    #[must_use]
    pub fn input_none(mut self) -> Self {
        self.inputs.push(Slot { memory: None, host: None, updated: false, same_as: None });
        self
    }

    /// The next input, whose int32 values the library also reads on the host (`hostData`), such as sequence lengths. They
    /// must be as many as the view has elements.
    #[must_use]
    pub fn input_host(mut self, view: impl Into<View<'a>>, values: &[i32]) -> Self {
        let memory = view.into().memory;
        let (index, desc) = (self.inputs.len(), &memory.desc);
        if !matches!(desc.dtype, DataType::Int32 | DataType::Uint32)
            || desc.checked_len() != Some(values.len())
        {
            let expected =
                format!("of {} elements of type Int32 or Uint32, as its host values", values.len());
            let error = Error::tensor(format_args!("input {index}"), expected, desc);
            self.error.get_or_insert(error);
        }
        self.inputs.push(Slot { host: Some(values.to_vec()), ..Slot::of(memory) });
        self
    }

    /// The next input, which the operation writes in place; an output can be the same memory, see
    /// [`output_updated`](Self::output_updated).
    #[must_use]
    pub fn updated(mut self, view: impl Into<ViewMut<'a>>) -> Self {
        self.inputs.push(Slot { updated: true, ..Slot::of(view.into().memory) });
        self
    }

    /// The next output.
    #[must_use]
    pub fn output(mut self, view: impl Into<ViewMut<'a>>) -> Self {
        self.outputs.push(Slot::of(view.into().memory));
        self
    }

    /// The next output is the input of this index, which was given by [`updated`](Self::updated).
    #[must_use]
    pub fn output_updated(mut self, input: usize) -> Self {
        let taken = self.outputs.iter().any(|output| output.same_as == Some(input));
        if taken || !self.inputs.get(input).is_some_and(|input| input.updated) {
            let expected = "an input that was given by `updated`, once";
            let got = format_args!("input {input}");
            self.error.get_or_insert(Error::tensor(
                format_args!("output {}", self.outputs.len()),
                expected,
                got,
            ));
        }
        self.outputs.push(Slot { memory: None, host: None, updated: false, same_as: Some(input) });
        self
    }

    /// Inputs so far.
    pub fn input_num(&self) -> usize {
        self.inputs.len()
    }

    /// Outputs so far.
    pub fn output_num(&self) -> usize {
        self.outputs.len()
    }

    /// Descriptions of the inputs, for [`Operation::infer_shape`](crate::Operation::infer_shape).
    pub fn input_descs(&self) -> Vec<TensorDesc> {
        self.inputs.iter().map(Slot::desc).collect()
    }

    /// Which input an output is.
    pub(crate) fn update_of(&self, output: usize) -> Option<usize> {
        self.outputs.get(output)?.same_as
    }

    /// Whether an input may be written.
    pub(crate) fn is_updated(&self, input: usize) -> bool {
        self.inputs.get(input).is_some_and(|input| input.updated)
    }

    /// The pack as the library takes it.
    pub(crate) fn into_raw(self) -> Result<RawPack<'a>> {
        if let Some(error) = self.error {
            return Err(error);
        }
        for (what, slots) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            if slots.len() > MAX_TENSORS {
                return Err(Error::tensor(what, format_args!("at most {MAX_TENSORS}"), slots.len()));
            }
        }
        let mut raw = RawPack {
            inputs: Vec::with_capacity(self.inputs.len()),
            outputs: Vec::with_capacity(self.outputs.len()),
            touches: Vec::with_capacity(self.inputs.len() + self.outputs.len()),
            _host: Vec::new(),
        };
        for (index, slot) in self.inputs.into_iter().enumerate() {
            let tensor = raw.tensor(slot, format_args!("input {index}"))?;
            raw.inputs.push(tensor);
        }
        for (index, slot) in self.outputs.into_iter().enumerate() {
            let tensor = match slot.same_as.and_then(|input| raw.inputs.get(input)) {
                Some(input) => *input,
                None => raw.tensor(slot, format_args!("output {index}"))?,
            };
            raw.outputs.push(tensor);
        }
        Ok(raw)
    }
}

impl<'a> RawPack<'a> {
    fn tensor(&mut self, slot: Slot<'a>, name: fmt::Arguments<'_>) -> Result<atb_tensor> {
        let Some(Memory { desc, address, touch, .. }) = slot.memory else {
            let desc = TensorDesc::none().to_raw(&name)?;
            return Ok(atb_tensor {
                desc,
                deviceData: std::ptr::null_mut(),
                hostData: std::ptr::null_mut(),
                dataSize: 0,
            });
        };
        let host_data = match slot.host {
            Some(values) => {
                self._host.push(values);
                // The vector's own memory, which stays where it is when the vector moves.
                self._host.last().map_or(std::ptr::null_mut(), |values| values.as_ptr().cast_mut().cast())
            }
            None => std::ptr::null_mut(),
        };
        self.touches.push(touch);
        Ok(atb_tensor {
            desc: desc.to_raw(&name)?,
            deviceData: address,
            hostData: host_data,
            dataSize: desc.bytes(&name)? as u64,
        })
    }
}

impl fmt::Debug for VariantPack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |slots: &[Slot<'_>]| -> Vec<String> {
            let describe = |slot: &Slot<'_>| match slot.same_as {
                Some(input) => format!("input {input}"),
                None => slot.desc().to_string(),
            };
            slots.iter().map(describe).collect()
        };
        f.debug_struct("VariantPack")
            .field("inputs", &list(&self.inputs))
            .field("outputs", &list(&self.outputs))
            .finish()
    }
}
