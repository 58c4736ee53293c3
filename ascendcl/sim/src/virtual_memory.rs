//! The virtual addresses of a device: which are reserved, and what is mapped at them.
//!
//! Mapping shows the file of the physical memory in the alias of the addresses, so that what is adjacent for the program
//! is adjacent for copies and kernels.

mod access;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, Result, failure, misuse};
use crate::mapping::{DeviceMapping, SharedFile};
use crate::memory::{Page, next_id};
use crate::physical::Physical;
use crate::sharing::{Key, Loan};

pub(crate) use access::{Accessor, Checked};

/// What is mapped.
#[derive(Clone)]
pub(crate) enum Backing {
    Physical(Arc<Physical>),
    /// A part of the memory of a device in another process.
    Borrowed(Arc<Loan>),
}

impl Backing {
    fn file(&self) -> (&SharedFile, usize) {
        match self {
            Self::Physical(physical) => (physical.file(), 0),
            Self::Borrowed(loan) => (&loan.file, loan.start),
        }
    }

    /// The device whose memory it is.
    fn home(&self) -> i32 {
        match self {
            Self::Physical(physical) => physical.home,
            Self::Borrowed(loan) => loan.device,
        }
    }

    /// Whether the process that shares it has taken it back. Physical memory lives as long as anyone has it.
    fn is_lost(&self) -> bool {
        match self {
            Self::Physical(_) => false,
            Self::Borrowed(loan) => loan.is_lost(),
        }
    }

    /// What memory must not be mixed within one reservation: whether it is imported, and its device.
    fn sort(&self) -> (bool, i32) {
        match self {
            Self::Physical(physical) => (physical.is_imported(), physical.device.id),
            Self::Borrowed(loan) => (true, loan.device),
        }
    }
}

/// A range of addresses that the program has.
struct Reservation {
    /// What the program asked for.
    size: usize,
    /// What it takes, in whole pages.
    taken: usize,
    /// By offset within the device.
    mappings: BTreeMap<usize, Mapping>,
    /// Of memory that was imported by a key, which has its addresses from there.
    key: Option<Key>,
}

struct Mapping {
    /// Not used twice.
    id: u64,
    length: usize,
    backing: Backing,
    /// The devices that have access; `None` for all that reach its home.
    devices: Option<BTreeSet<i32>>,
}

/// Something that was not given back.
pub(crate) enum Left {
    /// A reservation: its offset and its size.
    Reserved(usize, usize),
    /// Memory that was imported by a key: its offset and its size.
    Imported(usize, usize),
}

/// The addresses from `start` to `end` of a device.
pub(crate) struct VirtualMemory {
    start: usize,
    end: usize,
    reservations: Mutex<BTreeMap<usize, Reservation>>,
}

impl std::fmt::Debug for VirtualMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VirtualMemory({:#x}..{:#x})", self.start, self.end)
    }
}

impl VirtualMemory {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start, end, reservations: Mutex::default() }
    }

    /// Where the device's addresses end.
    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// Whether an offset is one of these addresses.
    pub(crate) fn has(&self, offset: usize) -> bool {
        (self.start..self.end).contains(&offset)
    }

    /// Reserves addresses by first fit, at a multiple of the largest page that has room in them.
    pub(crate) fn reserve(&self, size: usize) -> Result<usize> {
        let mut reservations = self.reservations.lock();
        self.insert(&mut reservations, size, None)
    }

    fn insert(
        &self,
        reservations: &mut BTreeMap<usize, Reservation>,
        size: usize,
        key: Option<Key>,
    ) -> Result<usize> {
        let page = if size >= Page::Gigantic.bytes() { Page::Gigantic } else { Page::Huge }.bytes();
        let exhausted = || {
            failure!(
                ACL_ERROR_RT_MEMORY_ALLOCATION,
                "no {size} contiguous virtual addresses are left of the device's {}",
                self.end - self.start
            )
        };
        let taken = size.checked_next_multiple_of(Page::Huge.bytes()).ok_or_else(exhausted)?;
        let mut offset = self.start;
        for (&start, reservation) in reservations.iter() {
            if offset.checked_add(taken).is_some_and(|end| end <= start) {
                break;
            }
            offset = (start + reservation.taken).next_multiple_of(page);
        }
        if offset.checked_add(taken).is_none_or(|end| end > self.end) {
            return Err(exhausted());
        }
        reservations.insert(offset, Reservation { size, taken, mappings: BTreeMap::new(), key });
        Ok(offset)
    }

    /// Gives addresses back, at which nothing is mapped any more.
    pub(crate) fn release(&self, offset: usize, address: usize) -> Result {
        let mut reservations = self.reservations.lock();
        match reservations.get(&offset) {
            None => Err(match around(&reservations, offset) {
                Some((start, _)) => misuse!(
                    ACL_ERROR_RT_PARAM_INVALID,
                    "{address:#x} is {} bytes inside a reservation, not its start",
                    offset - start
                ),
                None => not_reserved(address),
            }),
            Some(Reservation { key: Some(_), .. }) => Err(imported(address)),
            Some(reservation) if !reservation.mappings.is_empty() => Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "physical memory is still mapped in the reservation at {address:#x}; aclrtUnmapMem comes first"
            )),
            Some(_) => {
                reservations.remove(&offset);
                Ok(())
            }
        }
    }

    /// Shows physical memory, all of it, at addresses. Its device has access then.
    pub(crate) fn map(
        &self,
        device: &DeviceMapping,
        offset: usize,
        size: usize,
        physical: Arc<Physical>,
    ) -> Result {
        let address = device.address(offset);
        if size != physical.size {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{size} bytes to map of physical memory of {}: it can be mapped as a whole alone",
                physical.size
            ));
        }
        if !offset.is_multiple_of(physical.page.bytes()) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{address:#x} is not a multiple of the granularity, which is {}",
                physical.page.bytes()
            ));
        }
        let mut reservations = self.reservations.lock();
        let Some((start, reservation)) = around_mut(&mut reservations, offset) else {
            return Err(not_reserved(address));
        };
        if reservation.key.is_some() {
            return Err(imported(address));
        }
        let left = start + reservation.size - offset.min(start + reservation.size);
        if size > left {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{size} bytes at {address:#x} are out of bounds: {left} are left of a reservation of {}",
                reservation.size
            ));
        }
        let before = reservation.mappings.range(..offset + size).next_back();
        if let Some((&at, _)) = before.filter(|(at, mapping)| **at + mapping.length > offset) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "{size} bytes at {address:#x} overlap what is mapped at {:#x}",
                device.address(at)
            ));
        }
        let devices = Some(BTreeSet::from([physical.device.id]));
        let backing = Backing::Physical(physical);
        if let Some(other) = reservation.mappings.values().next()
            && other.backing.sort() != backing.sort()
        {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "one reservation cannot have memory of two devices, nor memory that was imported beside memory that was not"
            ));
        }
        show(device, offset, size, &backing)?;
        reservation.mappings.insert(offset, Mapping { id: next_id(), length: size, backing, devices });
        Ok(())
    }

    /// Shows memory of another process at addresses of its own; every device that reaches its home has access.
    pub(crate) fn import(&self, device: &DeviceMapping, key: Key, loan: Arc<Loan>) -> Result<usize> {
        let mut reservations = self.reservations.lock();
        let size = loan.size;
        let offset = self.insert(&mut reservations, size, Some(key))?;
        let backing = Backing::Borrowed(loan);
        if let Err(error) = show(device, offset, size.next_multiple_of(Page::Normal.bytes()), &backing) {
            reservations.remove(&offset);
            return Err(error);
        }
        let mapping = Mapping { id: next_id(), length: size, backing, devices: None };
        if let Some(reservation) = reservations.get_mut(&offset) {
            reservation.mappings.insert(offset, mapping);
        }
        Ok(offset)
    }

    /// Ends imports by a key. Answers with how many there were.
    pub(crate) fn end_imports(&self, device: &DeviceMapping, key: Key) -> Result<usize> {
        let mut reservations = self.reservations.lock();
        let of_key = |(_, reservation): &(&usize, &Reservation)| reservation.key == Some(key);
        let found: Vec<usize> = reservations.iter().filter(of_key).map(|(&offset, _)| offset).collect();
        for &offset in &found {
            if let Some(reservation) = reservations.remove(&offset) {
                hide(device, offset, reservation.taken)?;
            }
        }
        Ok(found.len())
    }

    /// Whether something is imported by a key.
    pub(crate) fn has_import(&self, key: Key) -> bool {
        self.reservations.lock().values().any(|reservation| reservation.key == Some(key))
    }

    /// Ends the mapping that starts at an address.
    pub(crate) fn unmap(&self, device: &DeviceMapping, offset: usize) -> Result {
        let mut reservations = self.reservations.lock();
        let (_, reservation) = Self::mapped(&mut reservations, device, offset)?;
        if let Some(mapping) = reservation.mappings.remove(&offset) {
            hide(device, offset, mapping.length)?;
        }
        Ok(())
    }

    /// Lets devices, or the host, touch what is mapped at an address.
    pub(crate) fn give_access(
        &self,
        device: &DeviceMapping,
        offset: usize,
        size: usize,
        devices: &[i32],
        host: bool,
    ) -> Result {
        let mut reservations = self.reservations.lock();
        let (_, reservation) = Self::mapped(&mut reservations, device, offset)?;
        let Some(mapping) = reservation.mappings.get_mut(&offset) else { return Ok(()) };
        if mapping.length != size {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "access to {size} bytes of a mapping of {}: it can be given to the whole alone",
                mapping.length
            ));
        }
        if host {
            let (file, start) = mapping.backing.file();
            device.open_to_host(offset, size, file, start).map_err(|error| refused(&error))?;
        }
        mapping.devices.get_or_insert_default().extend(devices);
        Ok(())
    }

    /// The reservation in which a mapping starts at an offset.
    fn mapped<'a>(
        reservations: &'a mut BTreeMap<usize, Reservation>,
        device: &DeviceMapping,
        offset: usize,
    ) -> Result<(usize, &'a mut Reservation)> {
        let address = device.address(offset);
        let Some((start, reservation)) = around_mut(reservations, offset) else {
            return Err(not_reserved(address));
        };
        if reservation.key.is_some() {
            return Err(imported(address));
        }
        if !reservation.mappings.contains_key(&offset) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "no mapping starts at {address:#x}; it was ended, or never made"
            ));
        }
        Ok((start, reservation))
    }

    /// What was not given back.
    pub(crate) fn left(&self) -> Vec<Left> {
        let left = |(&offset, reservation): (&usize, &Reservation)| match reservation.key {
            None => Left::Reserved(offset, reservation.size),
            Some(_) => Left::Imported(offset, reservation.size),
        };
        self.reservations.lock().iter().map(left).collect()
    }

    /// Ends everything.
    pub(crate) fn clear(&self, device: &DeviceMapping) {
        let reservations = std::mem::take(&mut *self.reservations.lock());
        for (offset, reservation) in reservations {
            if let Err(error) = hide(device, offset, reservation.taken) {
                tracing::error!("virtual memory stays mapped: {}", error.message);
            }
        }
    }
}

fn around(reservations: &BTreeMap<usize, Reservation>, offset: usize) -> Option<(usize, &Reservation)> {
    let (&start, reservation) = reservations.range(..=offset).next_back()?;
    (offset < start + reservation.taken).then_some((start, reservation))
}

fn around_mut(
    reservations: &mut BTreeMap<usize, Reservation>,
    offset: usize,
) -> Option<(usize, &mut Reservation)> {
    let (&start, reservation) = reservations.range_mut(..=offset).next_back()?;
    (offset < start + reservation.taken).then_some((start, reservation))
}

fn show(device: &DeviceMapping, offset: usize, length: usize, backing: &Backing) -> Result {
    let (file, start) = backing.file();
    device.show(offset, length, file, start).map_err(|error| refused(&error))
}

fn hide(device: &DeviceMapping, offset: usize, length: usize) -> Result {
    device.hide(offset, length).map_err(|error| refused(&error))
}

fn refused(error: &std::io::Error) -> Error {
    failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host cannot map the memory: {error}")
}

fn not_reserved(address: usize) -> Error {
    misuse!(
        ACL_ERROR_RT_PARAM_INVALID,
        "{address:#x} is not reserved: it was released, or aclrtReserveMemAddress never gave it"
    )
}

fn imported(address: usize) -> Error {
    misuse!(
        ACL_ERROR_RT_PARAM_INVALID,
        "{address:#x} is memory of another process, imported by a key; aclrtIpcMemClose gives it back"
    )
}
