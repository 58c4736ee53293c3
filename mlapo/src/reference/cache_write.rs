//! Stage 9: rows go to the slots of a paged cache.

use crate::error::{Error, TensorError};
use crate::layout::CacheLayout;

/// Checks that every slot that is not negative lies in a cache of `slots` rows.
///
/// # Errors
/// [`Error::Slot`] with the first token whose slot does not.
pub fn check_slots(slot_mapping: &[i32], slots: usize) -> Result<(), Error> {
    for (token, &slot) in slot_mapping.iter().enumerate() {
        if usize::try_from(slot).is_ok_and(|slot| slot >= slots) {
            return Err(Error::Slot { token, slot, slots });
        }
    }
    Ok(())
}

/// Writes token rows `[tokens, width]` to their slots; negative slots are skipped, and of several tokens with the same
/// slot the last wins.
///
/// # Errors
/// [`Error::Tensor`] when `rows` or `cache` has the wrong length and [`Error::Slot`] when a slot is outside the cache.
/// Nothing is written then.
pub fn write_rows<T: Copy>(
    layout: &CacheLayout,
    rows: &[T],
    slot_mapping: &[i32],
    cache: &mut [T],
) -> Result<(), Error> {
    let width = layout.width();
    TensorError::check_len("kv_cache", layout.len(), cache.len())?;
    TensorError::check_len("slot_mapping", rows.len() / width, slot_mapping.len())?;
    TensorError::check_len("cache rows", slot_mapping.len() * width, rows.len())?;
    check_slots(slot_mapping, layout.slots())?;
    for (row, &slot) in rows.chunks_exact(width).zip(slot_mapping) {
        let Ok(slot) = usize::try_from(slot) else { continue };
        for (piece, run) in row.chunks_exact(layout.run_len()).zip(layout.runs(slot)) {
            cache[run].copy_from_slice(piece);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CacheMode, Config};

    proptest! {
        /// Against the address formula of the golden specification, section 5, element by element.
        #[test]
        fn rows_arrive_and_nothing_else_changes(
            nz: bool, blocks in 1usize..4, bs in 1usize..20,
            slots in proptest::collection::vec(-3i32..60, 0..40),
        ) {
            let mode = if nz { CacheMode::SplitNz } else { CacheMode::Split };
            let config = Config::builder().cache_mode(mode).kv_lora_rank(64).build().unwrap();
            let layout = CacheLayout::latent(&config, blocks, bs).unwrap();
            let rows: Vec<u16> = (0..slots.len() as u16 * 64).collect();
            let mut cache = vec![u16::MAX; layout.len()];
            let result = write_rows(&layout, &rows, &slots, &mut cache);

            let outside = slots.iter().position(|s| *s >= 0 && *s as usize >= blocks * bs);
            if let Some(first) = outside {
                let refused = matches!(result, Err(Error::Slot { token, .. }) if token == first);
                prop_assert!(refused);
                prop_assert!(cache.iter().all(|v| *v == u16::MAX));
            } else {
                prop_assert!(result.is_ok());
                for slot in 0..blocks * bs {
                    let writer = slots.iter().rposition(|s| *s == slot as i32);
                    for c in 0..64 {
                        let at = if nz { ((slot / bs * 4 + c / 16) * bs + slot % bs) * 16 + c % 16 } else { slot * 64 + c };
                        prop_assert_eq!(cache[at], writer.map_or(u16::MAX, |t| rows[t * 64 + c]));
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_lengths_write_nothing() {
        let config = Config::builder().build().unwrap();
        let layout = CacheLayout::latent(&config, 1, 2).unwrap();
        let mut cache = vec![7u16; layout.len()];
        let rows = vec![0u16; 1024];
        let refused = |rows: &[u16], slots: &[i32], cache: &mut [u16]| {
            assert!(matches!(write_rows(&layout, rows, slots, cache), Err(Error::Tensor(_))));
        };
        refused(&rows, &[0], &mut cache);
        refused(&rows, &[0, 1, 1], &mut cache);
        refused(&rows[1..], &[0], &mut cache);
        refused(&rows, &[0, 1], &mut cache[1..]);
        assert!(cache.iter().all(|v| *v == 7));
    }

    #[test]
    fn any_negative_slot_is_skipped() {
        assert!(check_slots(&[-1, -2, i32::MIN, 0], 1).is_ok());
        assert!(matches!(check_slots(&[-1, 1], 1), Err(Error::Slot { token: 1, slot: 1, slots: 1 })));
        assert!(check_slots(&[i32::MAX], 1 << 31).is_ok());
    }
}
