//! Who touches what is mapped at virtual addresses: checks before work is queued and when it runs.

use std::collections::HashSet;

use super::{Backing, Mapping, Reservation, VirtualMemory, around, not_reserved};
use crate::error::{Result, misuse};

/// A device that touches memory.
#[derive(Clone, Copy)]
pub(crate) struct Accessor<'a> {
    pub device: i32,
    /// The devices whose memory it may touch; `None` for no other.
    pub peers: Option<&'a HashSet<i32>>,
}

impl Accessor<'_> {
    /// A device without peers.
    pub(crate) fn alone(device: i32) -> Self {
        Self { device, peers: None }
    }

    fn reaches(&self, home: i32) -> bool {
        home == self.device || self.peers.is_some_and(|peers| peers.contains(&home))
    }
}

/// What a range of virtual addresses is.
#[derive(Clone, Copy)]
pub(crate) struct Checked {
    /// The device whose memory it is.
    pub home: i32,
    /// The last mapping.
    pub last: u64,
    /// Whether it was imported by a key.
    pub by_key: bool,
}

impl VirtualMemory {
    /// Checks that a device may touch all of a range.
    pub(crate) fn check(
        &self,
        offset: usize,
        length: usize,
        address: usize,
        accessor: &Accessor<'_>,
    ) -> Result<Checked> {
        let reservations = self.reservations.lock();
        let Some((start, reservation)) = around(&reservations, offset) else {
            return Err(not_reserved(address));
        };
        let end = start + reservation.size;
        if offset.checked_add(length).is_none_or(|last| last > end) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{length} bytes at {address:#x} are out of bounds: {} are left of a reservation of {}",
                end.saturating_sub(offset),
                reservation.size
            ));
        }
        let mut answer = None;
        for found in reservation.cover(offset, length) {
            let Some(mapping) = found else {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "nothing is mapped at a part of the {length} bytes at {address:#x}"
                ));
            };
            let home = mapping.backing.home();
            if mapping.devices.as_ref().is_some_and(|devices| !devices.contains(&accessor.device)) {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "device {} has no access to what is mapped at {address:#x}; aclrtMemSetAccess gives it",
                    accessor.device
                ));
            }
            if !accessor.reaches(home) {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "{address:#x} is memory of device {home}, to which device {} has no peer access",
                    accessor.device
                ));
            }
            if mapping.backing.is_lost() {
                return Err(misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "the process that shares the memory at {address:#x} freed it, closed its key, or ended"
                ));
            }
            let last = answer.map_or(0, |Checked { last, .. }| last).max(mapping.id);
            answer = Some(Checked { home, last, by_key: reservation.key.is_some() });
        }
        answer.ok_or_else(|| misuse!(ACL_ERROR_RT_PARAM_INVALID, "a range of 0 bytes at {address:#x}"))
    }

    /// Whether a range is still what it was when [`Self::check`] told its last mapping; else what became of it.
    pub(crate) fn recheck(
        &self,
        offset: usize,
        length: usize,
        last: u64,
    ) -> std::result::Result<(), &'static str> {
        let reservations = self.reservations.lock();
        let Some((_, reservation)) = around(&reservations, offset) else { return Err("released") };
        for found in reservation.cover(offset, length) {
            match found {
                Some(mapping) if mapping.backing.is_lost() => {
                    return Err("taken back by the process that shares it");
                }
                Some(mapping) if mapping.id <= last => {}
                _ => return Err("unmapped"),
            }
        }
        Ok(())
    }

    /// What a device has access to: offsets and lengths, in order. What is adjacent in a reservation is one range.
    pub(crate) fn reachable(&self, accessor: &Accessor<'_>) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (&start, reservation) in &*self.reservations.lock() {
            for (&offset, mapping) in &reservation.mappings {
                let is_open =
                    mapping.devices.as_ref().is_none_or(|devices| devices.contains(&accessor.device));
                if !is_open || !accessor.reaches(mapping.backing.home()) || mapping.backing.is_lost() {
                    continue;
                }
                match ranges.last_mut() {
                    Some((first, length)) if *first + *length == offset && *first >= start => {
                        *length += mapping.length;
                    }
                    _ => ranges.push((offset, mapping.length)),
                }
            }
        }
        ranges
    }

    /// Where the mapping or the reservation around an offset starts.
    pub(crate) fn page_at(&self, offset: usize) -> Option<(i32, usize)> {
        let reservations = self.reservations.lock();
        let (_, reservation) = around(&reservations, offset)?;
        let mapping = reservation.cover(offset, 1).next()??;
        let page = match &mapping.backing {
            Backing::Physical(physical) => physical.page.bytes(),
            Backing::Borrowed(loan) => loan.page,
        };
        Some((mapping.backing.home(), page))
    }
}

impl Reservation {
    /// The mappings that cover a range, in order; `None` for a gap, after which there is nothing.
    fn cover(&self, offset: usize, length: usize) -> impl Iterator<Item = Option<&Mapping>> {
        let end = offset.saturating_add(length);
        let mut next = Some(offset);
        std::iter::from_fn(move || {
            let at = next.filter(|&at| at < end)?;
            let found = self.mappings.range(..=at).next_back();
            let found = found.filter(|(start, mapping)| at < **start + mapping.length);
            next = found.map(|(start, mapping)| start + mapping.length);
            Some(found.map(|(_, mapping)| mapping))
        })
    }
}
