//! `Sort32` and `MrgSort`: records of 8 bytes, the score first and the index in the upper half, largest
//! score first.

use std::cmp::Ordering;

use half::f16;

use super::data_type;
use super::lanes::{self, within};
use super::raw::Region;
use crate::aicore::abi::{self, DataType};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Use};

/// Bytes of a record.
const RECORD: usize = 8;
/// Elements that a repeat of `Sort32` sorts.
const SORTED: usize = 32;
/// Lists of a merge.
const LISTS: usize = 4;

fn score_type(code: u8) -> Result<DataType, Fault> {
    match data_type(code)? {
        data_type @ (DataType::F16 | DataType::F32) => Ok(data_type),
        other => Err(Fault::Unsupported(format!("scores of {other:?} do not exist on this device"))),
    }
}

/// The score at the start of the bytes.
fn score(data_type: DataType, bytes: [u8; 4]) -> f32 {
    match data_type {
        DataType::F16 => f16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
        _ => f32::from_le_bytes(bytes),
    }
}

/// Larger scores first; what is not a number counts as the largest.
fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

impl abi::Sort {
    fn score_bytes(data_type: DataType) -> u64 {
        (SORTED * data_type.bits() / 8) as u64
    }
}

impl Semantics for abi::Sort {
    fn check(&self) -> Result<(), Fault> {
        score_type(self.data_type)?;
        within("repeat", self.repeat.into(), 0, lanes::MOST_REPEATS)?;
        lanes::check_address("dst", self.dst, 32)?;
        lanes::check_address("src0", self.src, 32)?;
        lanes::check_address("src1", self.index, 32)
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Ok(data_type) = score_type(self.data_type) else { return };
        let repeats = u64::from(self.repeat);
        if repeats == 0 {
            return;
        }
        visit(Access::run(Address(self.src), Use::Read, repeats * Self::score_bytes(data_type)));
        visit(Access::run(Address(self.index), Use::Read, repeats * (SORTED * 4) as u64));
        visit(Access::run(Address(self.dst), Use::Write, repeats * (SORTED * RECORD) as u64));
    }

    fn run(&self, memory: &CoreMemory, _registers: &mut Registers) -> Result<(), Fault> {
        let data_type = score_type(self.data_type)?;
        let element = data_type.bits() / 8;
        let repeats = u64::from(self.repeat);
        let scores = Region::of(memory, self.src, repeats * Self::score_bytes(data_type))?;
        let indices = Region::of(memory, self.index, repeats * (SORTED * 4) as u64)?;
        let to = Region::of(memory, self.dst, repeats * (SORTED * RECORD) as u64)?;
        for repeat in 0..repeats as usize {
            // The bytes between a score of fp16 and its index are reserved; they are 0 here.
            let mut records = [[0; RECORD]; SORTED];
            for (place, record) in records.iter_mut().enumerate() {
                let at = repeat * SORTED + place;
                scores.read(at * element, &mut record[..element])?;
                indices.read(at * 4, &mut record[4..])?;
            }
            let key = |record: &[u8; RECORD]| score(data_type, [record[0], record[1], record[2], record[3]]);
            // Of equal scores the first stays first: the sort is stable.
            records.sort_by(|a, b| descending(key(a), key(b)));
            to.write(repeat * SORTED * RECORD, records.as_flattened())?;
        }
        Ok(())
    }
}

/// What one merge does.
struct Merged {
    records: Vec<[u8; RECORD]>,
    used: [u32; LISTS],
}

impl abi::Merge {
    /// Lists that take part.
    fn lists(&self) -> usize {
        self.valid.count_ones() as usize
    }

    /// Records of one merge.
    fn total(&self) -> u64 {
        self.length[..self.lists()].iter().map(|length| u64::from(*length)).sum()
    }

    /// More than one repeat needs four lists of one length that follow each other, all merged to their end
    /// (docs: MrgSort, repeatTimes).
    fn repeats(&self) -> u64 {
        let bytes = u64::from(self.length[0]) * RECORD as u64;
        let alike = self.length.iter().all(|length| *length == self.length[0]);
        let adjacent = self.src.windows(2).all(|pair| pair[0].wrapping_add(bytes) == pair[1]);
        let repeats = u64::from(self.repeat);
        if self.valid == 15 && self.exhausted == 0 && alike && adjacent { repeats } else { repeats.min(1) }
    }

    fn merge(&self, memory: &CoreMemory, data_type: DataType, repeat: u64) -> Result<Merged, Fault> {
        let shift = repeat * self.total() * RECORD as u64;
        let mut lists = Vec::with_capacity(LISTS);
        for (src, length) in self.src.iter().zip(self.length).take(self.lists()) {
            let mut bytes = vec![0; length as usize * RECORD];
            Region::of(memory, src.wrapping_add(shift), bytes.len() as u64)?.read(0, &mut bytes)?;
            lists.push(bytes.as_chunks::<RECORD>().0.to_vec());
        }
        let key = |record: &[u8; RECORD]| score(data_type, [record[0], record[1], record[2], record[3]]);
        let mut merged = Merged { records: Vec::new(), used: [0; LISTS] };
        loop {
            // Of equal scores that of the first list.
            let mut best: Option<(usize, [u8; RECORD])> = None;
            for (list, records) in lists.iter().enumerate() {
                if let Some(record) = records.get(merged.used[list] as usize)
                    && best.is_none_or(|(_, best)| descending(key(record), key(&best)) == Ordering::Less)
                {
                    best = Some((list, *record));
                }
            }
            let Some((list, record)) = best else { return Ok(merged) };
            merged.records.push(record);
            merged.used[list] += 1;
            if self.exhausted != 0 && merged.used[list] == self.length[list] {
                return Ok(merged);
            }
        }
    }
}

impl Semantics for abi::Merge {
    fn check(&self) -> Result<(), Fault> {
        score_type(self.data_type)?;
        if !matches!(self.valid, 3 | 7 | 15) {
            return Err(Fault::Unsupported(format!(
                "valid lists {:#b}: it must be 0b11, 0b111 or 0b1111",
                self.valid
            )));
        }
        within("repeat", self.repeat.into(), 0, lanes::MOST_REPEATS)?;
        lanes::check_address("dst", self.dst, 32)?;
        for (src, length) in self.src.iter().zip(self.length).take(self.lists()) {
            within("list length", length.into(), 0, 4095)?;
            lanes::check_address("src", *src, RECORD as u64)?;
        }
        Ok(())
    }

    fn accesses(&self, memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Ok(data_type) = score_type(self.data_type) else { return };
        for repeat in 0..self.repeats() {
            let shift = repeat * self.total() * RECORD as u64;
            // Lists that lie out of bounds are told whole.
            let merged = self.merge(memory, data_type, repeat).ok();
            for list in 0..self.lists() {
                // The next record of each list was compared too.
                let read = match &merged {
                    Some(merged) => self.length[list].min(merged.used[list] + 1),
                    None => self.length[list],
                };
                if read > 0 {
                    let address = Address(self.src[list].wrapping_add(shift));
                    visit(Access::run(address, Use::Read, u64::from(read) * RECORD as u64));
                }
            }
            if let Some(merged) = merged.filter(|merged| !merged.records.is_empty()) {
                let bytes = (merged.records.len() * RECORD) as u64;
                visit(Access::run(Address(self.dst.wrapping_add(shift)), Use::Write, bytes));
            }
        }
    }

    fn run(&self, memory: &CoreMemory, registers: &mut Registers) -> Result<(), Fault> {
        let data_type = score_type(self.data_type)?;
        for repeat in 0..self.repeats() {
            let shift = repeat * self.total() * RECORD as u64;
            let merged = self.merge(memory, data_type, repeat)?;
            let bytes = merged.records.as_flattened();
            Region::of(memory, self.dst.wrapping_add(shift), bytes.len() as u64)?.write(0, bytes)?;
            registers.merge_result =
                merged.used.iter().rev().fold(0, |result, used| result << 16 | u64::from(*used & 0xffff));
        }
        Ok(())
    }
}
