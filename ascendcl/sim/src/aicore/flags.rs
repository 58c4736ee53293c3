//! The flags between the pipes of a core.

use super::abi::Pipe;

/// Events that each pair of pipes has.
pub(super) const EVENTS: u32 = 8;
/// One more than the largest code of a pipe.
pub(super) const PIPES: usize = Pipe::Fix as usize + 1;

/// How often each flag was set and not taken.
///
/// The hardware's flag is a bit; setting it twice is the sanitizer's finding, and counting keeps the run going.
#[derive(Debug)]
pub(super) struct Flags(Box<[u32]>);

impl Flags {
    pub(super) fn new() -> Self {
        Self(vec![0; PIPES * PIPES * EVENTS as usize].into())
    }

    fn flag(&mut self, src: Pipe, dst: Pipe, event: u32) -> &mut u32 {
        let pair = src as usize * PIPES + dst as usize;
        &mut self.0[pair * EVENTS as usize + event as usize]
    }

    pub(super) fn set(&mut self, src: Pipe, dst: Pipe, event: u32) {
        *self.flag(src, dst, event) += 1;
    }

    /// Whether the flag was set.
    pub(super) fn take(&mut self, src: Pipe, dst: Pipe, event: u32) -> bool {
        let flag = self.flag(src, dst, event);
        let set = *flag > 0;
        *flag -= u32::from(set);
        set
    }
}
