//! Writing operands to files, to find errors.

use std::ffi::CString;

use super::{OpTensor, Operators};
use crate::error::{Error, Result, ShapeError};
use crate::stream::{Capture, Stream};
use crate::usage::Access;

impl Operators {
    /// Dumps the operands of an operator under its type and name, if the library's dump is switched on, in the stream's
    /// order, and waits for it (`aclDumpOpTensors`, since 9.1).
    ///
    /// # Errors
    /// [`Error::Mismatch`] if an operand or the stream belongs to another runtime or device, [`Error::Shape`] for a text with
    /// a zero byte, [`Error::Capturing`] during a capture, [`Error::MissingSymbol`] before CANN 9.1, [`Error::Acl`] from the
    /// library.
    pub fn dump(
        &self,
        [operator, name]: [&str; 2],
        inputs: &[&OpTensor<'_>],
        outputs: &[&OpTensor<'_>],
        stream: &Stream,
    ) -> Result<()> {
        self.check_runtime("stream", stream.device().runtime())?;
        let text = |text: &str| {
            CString::new(text)
                .map_err(|_| Error::from(ShapeError::new("name of a dump", "without a zero byte", text)))
        };
        let (operator, name) = (text(operator)?, text(name)?);
        let submission = stream.submit("Operators::dump", Capture::Refused)?;
        let mut tensors = Vec::with_capacity(inputs.len() + outputs.len());
        for operand in inputs.iter().chain(outputs) {
            submission.touch(&operand.tensor().buffer().block, Access::Read)?;
            tensors.push(operand.as_raw());
        }
        // SAFETY: the operands and their memory stay borrowed until the stream is synchronised below; the stream waits for
        // the writers of the memory.
        unsafe {
            submission.acl.dump_tensors([&operator, &name], &mut tensors, inputs.len(), submission.handle)
        }?;
        submission.synchronize()
    }
}
