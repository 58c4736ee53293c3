//! Where tokens go in the cache.

use std::collections::HashSet;

use ascendcl::{Format, Stream, Tensor};

use crate::error::Error;

/// The cache slot of each token, on the device and on the host.
///
/// Slot `s` is row `s % block_size` of block `s / block_size`; a token with a negative slot is not cached. The host's
/// copy is what lets the operation refuse a slot outside the cache before anything is written.
#[derive(Debug)]
pub struct SlotMapping {
    host: Vec<i32>,
    device: Tensor,
}

impl SlotMapping {
    /// Uploads one slot for each token.
    ///
    /// # Errors
    /// [`Error::Device`] from the allocation or the copy.
    pub fn new(stream: &Stream, slots: &[i32]) -> Result<Self, Error> {
        let device = stream.tensor_from(&last_of_each(slots), Format::Nd, &[slots.len()])?;
        Ok(Self { host: slots.to_vec(), device })
    }

    /// The slots, one for each token.
    pub fn slots(&self) -> &[i32] {
        &self.host
    }

    /// The slots on the device: int32 `[tokens]`. Where several tokens have one slot, only the last of them has it here
    /// and the others have -1, because a kernel writes its tokens in no order.
    pub fn tensor(&self) -> &Tensor {
        &self.device
    }

    /// Maximal runs of tokens whose slots follow each other: first token, first slot, length. Tokens with negative
    /// slots are in none.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let mut token = 0;
        std::iter::from_fn(move || {
            while self.host.get(token).is_some_and(|slot| *slot < 0) {
                token += 1;
            }
            let (first, start) = (token, usize::try_from(*self.host.get(token)?).ok()?);
            while self.host.get(token).is_some_and(|slot| usize::try_from(*slot) == Ok(start + token - first))
            {
                token += 1;
            }
            Some((first, start, token - first))
        })
    }
}

/// The slots, with -1 for every token whose slot a later token has.
fn last_of_each(slots: &[i32]) -> Vec<i32> {
    let mut seen = HashSet::with_capacity(slots.len());
    let mut kept = slots.to_vec();
    for slot in kept.iter_mut().rev() {
        if *slot >= 0 && !seen.insert(*slot) {
            *slot = -1;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use ascendcl::{Backend, Runtime};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_are_the_slots_that_are_not_negative(slots in proptest::collection::vec(-2i32..6, 0..30)) {
            let stream = Runtime::with_backend(Backend::Sim).unwrap().device(0).unwrap().stream().unwrap();
            let mapping = SlotMapping::new(&stream, &slots).unwrap();
            let listed: Vec<(usize, i32)> = mapping
                .runs()
                .flat_map(|(token, slot, len)| (0..len).map(move |i| (token + i, (slot + i) as i32)))
                .collect();
            let expected: Vec<(usize, i32)> = slots.iter().copied().enumerate().filter(|(_, s)| *s >= 0).collect();
            prop_assert_eq!(listed, expected);
            let device: Vec<i32> = stream.tensor_to_vec(mapping.tensor()).unwrap();
            for (token, slot) in slots.iter().enumerate() {
                let later = slots[token + 1..].contains(slot);
                prop_assert_eq!(device[token], if *slot >= 0 && later { -1 } else { *slot });
            }
        }
    }
}
