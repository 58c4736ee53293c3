//! Sequences of maps and unmaps, against a page table as a text book has it.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
mod physical;

use std::ffi::c_void;

use ascendcl_sys::*;
use common::*;
use physical::*;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

const PAGE: usize = 4096;

/// A step of a program, in terms of the things that it has made so far.
#[derive(Clone, Debug)]
enum Step {
    Reserve { pages: usize },
    Release { which: usize },
    Allocate { pages: usize },
    Free { which: usize },
    Map { which: usize, page: usize, physical: usize },
    Unmap { which: usize, page: usize },
    Fill { which: usize, page: usize, pages: usize, value: u8 },
    Read { which: usize, page: usize, pages: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (which, page, pages) = (0..4usize, 0..6usize, 1..4usize);
    prop_oneof![
        1 => (1..7usize).prop_map(|pages| Step::Reserve { pages }),
        1 => which.clone().prop_map(|which| Step::Release { which }),
        2 => pages.clone().prop_map(|pages| Step::Allocate { pages }),
        1 => which.clone().prop_map(|which| Step::Free { which }),
        6 => (which.clone(), page.clone(), which.clone())
            .prop_map(|(which, page, physical)| Step::Map { which, page, physical }),
        2 => (which.clone(), page.clone()).prop_map(|(which, page)| Step::Unmap { which, page }),
        4 => (which.clone(), page.clone(), pages.clone(), any::<u8>())
            .prop_map(|(which, page, pages, value)| Step::Fill { which, page, pages, value }),
        4 => (which, page, pages).prop_map(|(which, page, pages)| Step::Read { which, page, pages }),
    ]
}

/// What must be true: page tables, as a text book has them.
#[derive(Default)]
struct Model {
    reservations: Vec<Reservation>,
    physical: Vec<Physical>,
}

struct Reservation {
    base: *mut c_void,
    is_live: bool,
    /// For each page, what is mapped: which mapping, which physical memory, and which of its pages.
    table: Vec<Option<(usize, usize, usize)>>,
}

struct Physical {
    handle: aclrtDrvMemHandle,
    has_handle: bool,
    pages: Vec<u8>,
}

impl Model {
    fn used(&self) -> usize {
        let mapped = |id| {
            self.reservations.iter().any(|r| r.table.iter().flatten().any(|&(_, physical, _)| physical == id))
        };
        let lives = self.physical.iter().enumerate().filter(|(id, p)| p.has_handle || mapped(*id));
        lives.map(|(_, physical)| physical.pages.len() * PAGE).sum()
    }

    /// The pages of a range, if all are mapped.
    fn range(&self, which: usize, page: usize, pages: usize) -> Option<Vec<(usize, usize)>> {
        let reservation = self.reservations.get(which).filter(|reservation| reservation.is_live)?;
        let entries = (page..page + pages).map(|page| reservation.table.get(page).copied().flatten());
        entries.map(|entry| entry.map(|(_, physical, page)| (physical, page))).collect()
    }

    fn run(&mut self, device: i32, step: &Step, mapping: usize) {
        let succeeds = |code: aclError, expected: bool| {
            assert_eq!(code == ACL_SUCCESS, expected, "{step:?}: {code} {}", message());
        };
        let address = |model: &Self, which: usize, page: usize| {
            model.reservations.get(which).map(|r| r.base.wrapping_byte_add(page * PAGE))
        };
        match *step {
            Step::Reserve { pages } => {
                let base = reserve(pages * PAGE);
                let inside = |r: &Reservation| {
                    r.is_live
                        && base.addr() < r.base.addr() + r.table.len() * PAGE
                        && r.base.addr() < base.addr() + pages * PAGE
                };
                assert!(!self.reservations.iter().any(inside));
                self.reservations.push(Reservation { base, is_live: true, table: vec![None; pages] });
            }
            Step::Release { which } => {
                let Some(address) = address(self, which, 0) else { return };
                let newer = self.reservations.iter().skip(which + 1).any(|r| r.base == address && r.is_live);
                // The addresses may be those of a later reservation by now.
                if newer {
                    return;
                }
                let reservation = &mut self.reservations[which];
                let expected = reservation.is_live && reservation.table.iter().all(Option::is_none);
                succeeds(code!(aclrtReleaseMemAddress(address)), expected);
                reservation.is_live &= !expected;
            }
            Step::Allocate { pages } => {
                let mut handle = aclrtDrvMemHandle::null();
                ok!(aclrtMallocPhysical(&mut handle, pages * PAGE, &properties(device, ACL_MEM_NORMAL), 0));
                self.physical.push(Physical { handle, has_handle: true, pages: vec![0; pages] });
            }
            Step::Free { which } => {
                let Some(physical) = self.physical.get_mut(which) else { return };
                succeeds(code!(aclrtFreePhysical(physical.handle)), physical.has_handle);
                physical.has_handle = false;
            }
            Step::Map { which, page, physical: id } => {
                let (Some(address), Some(physical)) = (address(self, which, page), self.physical.get(id))
                else {
                    return;
                };
                if !self.reservations[which].is_live {
                    return;
                }
                let pages = physical.pages.len();
                let place = self.reservations[which].table.get(page..page + pages);
                let expected = physical.has_handle && place.is_some_and(|p| p.iter().all(Option::is_none));
                let code = code!(aclrtMapMem(address, pages * PAGE, 0, physical.handle, 0));
                succeeds(code, expected);
                if expected {
                    for index in 0..pages {
                        self.reservations[which].table[page + index] = Some((mapping, id, index));
                    }
                }
            }
            Step::Unmap { which, page } => {
                let Some(address) = address(self, which, page) else { return };
                if !self.reservations[which].is_live {
                    return;
                }
                let table = &mut self.reservations[which].table;
                let entry = table.get(page).copied().flatten().filter(|&(_, _, index)| index == 0);
                succeeds(code!(aclrtUnmapMem(address)), entry.is_some());
                if let Some((mapping, _, _)) = entry {
                    for entry in table.iter_mut().filter(|e| e.is_some_and(|(m, _, _)| m == mapping)) {
                        *entry = None;
                    }
                }
            }
            Step::Fill { which, page, pages, value } => {
                let Some(address) = address(self, which, page) else { return };
                if !self.reservations[which].is_live {
                    return;
                }
                let range = self.range(which, page, pages);
                let length = pages * PAGE;
                succeeds(code!(aclrtMemset(address, length, value.into(), length)), range.is_some());
                for (physical, page) in range.into_iter().flatten() {
                    self.physical[physical].pages[page] = value;
                }
            }
            Step::Read { which, page, pages } => {
                let Some(address) = address(self, which, page) else { return };
                if let Some(range) = self.range(which, page, pages) {
                    let bytes = download(address, pages * PAGE);
                    for (bytes, (physical, page)) in bytes.chunks(PAGE).zip(range) {
                        let value = self.physical[physical].pages[page];
                        assert!(bytes.iter().all(|&byte| byte == value), "{step:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn maps_and_unmaps_are_those_of_a_page_table() {
    let device = TestDevice::take();
    let all = free_bytes();
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })
        .run(&proptest::collection::vec(step(), 1..60), |steps| {
            let mut model = Model::default();
            for (mapping, step) in steps.iter().enumerate() {
                model.run(device.0, step, mapping);
                assert_eq!(free_bytes(), all - model.used(), "{step:?}");
            }
            for reservation in model.reservations.iter().filter(|reservation| reservation.is_live) {
                for (page, entry) in reservation.table.iter().enumerate() {
                    if matches!(entry, Some((_, _, 0))) {
                        ok!(aclrtUnmapMem(reservation.base.wrapping_byte_add(page * PAGE)));
                    }
                }
                ok!(aclrtReleaseMemAddress(reservation.base));
            }
            for physical in model.physical.iter().filter(|physical| physical.has_handle) {
                ok!(aclrtFreePhysical(physical.handle));
            }
            assert_eq!(free_bytes(), all);
            assert!(device.report().leaks.is_empty());
            Ok(())
        })
        .unwrap();
}
