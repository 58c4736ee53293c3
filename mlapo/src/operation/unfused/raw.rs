//! The launches of the chain.

use ascendcl::{Stream, Workspace};
use atb::param::Param;
use atb::{Context, Operation, VariantPack};

use super::operator::Visitor;
use crate::error::Error;

/// One launch.
pub(super) struct Launch<'a, 'p> {
    pub stream: &'a Stream,
    pub context: &'a mut Context,
    pub workspace: &'a mut Workspace,
    pub pack: VariantPack<'p>,
}

impl Visitor<Result<(), Error>> for Launch<'_, '_> {
    /// Sets the operation up and queues it.
    fn visit<P: Param>(self, operation: &mut Operation<P>) -> Result<(), Error> {
        let Self { stream, context, workspace, pack } = self;
        // SAFETY: the chain gives each operator tensors of the shapes that it takes; of the data that says where something
        // is, the slots that are not negative are within the cache, as the call has checked, and the lengths are one each.
        unsafe { operation.run_unchecked(context, stream, pack, workspace) }?;
        Ok(())
    }
}
