//! The launch of the operator.

use std::ops::Range;

use ascendcl::Stream;

use super::{AtbBackend, pack};
use crate::cache::PagedCache;
use crate::config::Config;
use crate::error::Error;
use crate::operation::{Input, Output};

impl AtbBackend {
    /// One launch, for some of the tokens.
    pub(super) fn launch(
        &mut self,
        stream: &Stream,
        config: &Config,
        rows: Range<usize>,
        input: &Input<'_>,
        cache: &mut PagedCache,
        output: &mut Output,
    ) -> Result<(), Error> {
        let pack = pack(config, &self.weights, rows, input, cache, output)?;
        let mut prepared = self.operation.setup(&mut self.context, pack)?;
        // SAFETY: the tensors have the shapes of the configuration, which the caller has checked, those that ATB does not
        // check (weights, caches) included; every slot that is not negative is within the cache.
        unsafe { prepared.execute_unchecked(stream, &mut self.workspace) }?;
        Ok(())
    }
}
