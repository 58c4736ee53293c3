//! Reductions of each repeat, block or pair (Ascend C docs: ReduceRepeat, ReduceDataBlock, ReducePairElem).

use half::f16;

use super::arithmetic::{Element, to_f32};
use super::data_type;
use super::lanes::{self, Active, Bytes, LANES, Lanes, Operand, Runs, within};
use super::raw::Region;
use crate::aicore::abi::{self, DataType, ReduceOp, ReduceOrder, ReduceScope};
use crate::aicore::fault::Fault;
use crate::aicore::instruction::Semantics;
use crate::aicore::memory::{Access, Address, CoreMemory, Registers, Space, Use};

#[derive(Clone, Copy)]
struct Codes {
    op: ReduceOp,
    scope: ReduceScope,
    order: ReduceOrder,
    data_type: DataType,
}

impl Codes {
    fn element(self) -> usize {
        self.data_type.bits() / 8
    }

    fn per_repeat(self) -> usize {
        lanes::REPEAT / self.element()
    }

    /// Lanes that give one result.
    fn group(self) -> usize {
        match self.scope {
            ReduceScope::Repeat | ReduceScope::All => self.per_repeat(),
            ReduceScope::Block => lanes::BLOCK / self.element(),
            ReduceScope::Pair => 2,
        }
    }

    fn keeps_index(self) -> bool {
        matches!(self.scope, ReduceScope::Repeat | ReduceScope::All) && self.op != ReduceOp::Sum
    }

    /// Bytes of the result of one group. An index alone has 32 bits, beside a value those of the value
    /// (docs: ReduceRepeat, table 3).
    fn result(self) -> usize {
        if !self.keeps_index() {
            return self.element();
        }
        match self.order {
            ReduceOrder::ValueIndex | ReduceOrder::IndexValue => 2 * self.element(),
            ReduceOrder::OnlyValue => self.element(),
            ReduceOrder::OnlyIndex => 4,
        }
    }

    /// An extreme and its index as they are written.
    fn extreme_bytes(self, value: f32, index: u32) -> [u8; 8] {
        let mut bytes = [0; 8];
        let (value, index) = (value_bytes(self.data_type, value), index.to_le_bytes());
        let element = self.element();
        match self.order {
            _ if !self.keeps_index() => bytes[..4].copy_from_slice(&value),
            ReduceOrder::ValueIndex => {
                bytes[..element].copy_from_slice(&value[..element]);
                bytes[element..2 * element].copy_from_slice(&index[..element]);
            }
            ReduceOrder::IndexValue => {
                bytes[..element].copy_from_slice(&index[..element]);
                bytes[element..2 * element].copy_from_slice(&value[..element]);
            }
            ReduceOrder::OnlyValue => bytes[..4].copy_from_slice(&value),
            ReduceOrder::OnlyIndex => bytes[..4].copy_from_slice(&index),
        }
        bytes
    }

    /// Bytes of the results of one repeat: the unit of the stride of the destination.
    fn unit(self) -> u64 {
        (self.result() * self.per_repeat() / self.group()) as u64
    }

    /// What the address of the destination must be a multiple of.
    fn alignment(self) -> u64 {
        match self.scope {
            ReduceScope::Repeat | ReduceScope::All => self.result() as u64,
            ReduceScope::Block => self.unit(),
            ReduceScope::Pair => lanes::BLOCK as u64,
        }
    }
}

/// The lanes of a group that take part.
fn part(active: Active, codes: Codes, group: usize) -> Active {
    let lanes = codes.group();
    Active::of(active.bits >> (group * lanes) & Active::first(lanes).bits)
}

/// The sum of neighbors by pairs, then of their sums, and so on; lanes that are left out count as 0. fp16
/// rounds every sum (docs: ReduceDataBlock, key features).
fn tree_sum(values: &mut [f32], half_precision: bool) -> f32 {
    let mut count = values.len();
    while count > 1 {
        count /= 2;
        for i in 0..count {
            let sum = values[2 * i] + values[2 * i + 1];
            values[i] = sum;
        }
        if half_precision {
            round_to_half(&mut values[..count]);
        }
    }
    values[0]
}

fn round_to_half(values: &mut [f32]) {
    let mut halves = [f16::ZERO; LANES];
    f16::narrow(values, &mut halves[..values.len()]);
    f16::widen(&halves[..values.len()], values);
}

/// Whether a value takes the place of the best before it. Of equals the first stays (docs: ReduceRepeat);
/// what is not a number wins.
fn beats(op: ReduceOp, value: f32, best: f32) -> bool {
    let better = if op == ReduceOp::Max { value > best } else { value < best };
    better || (value.is_nan() && !best.is_nan())
}

/// The extreme of the active lanes and its place.
fn extreme(op: ReduceOp, values: &[f32], active: Active) -> (f32, usize) {
    let mut best = (values[active.bits.trailing_zeros() as usize], active.bits.trailing_zeros() as usize);
    for (lane, value) in values.iter().enumerate().take(active.span) {
        if active.has(lane) && beats(op, *value, best.0) {
            best = (*value, lane);
        }
    }
    best
}

fn value_bytes(data_type: DataType, value: f32) -> [u8; 4] {
    let mut bytes = Bytes::ZERO;
    if data_type == DataType::F16 {
        f16::narrow(&[value], &mut bytes.lanes_mut()[..1]);
    } else {
        f32::narrow(&[value], &mut bytes.lanes_mut()[..1]);
    }
    [bytes.0[0], bytes.0[1], bytes.0[2], bytes.0[3]]
}

impl abi::Reduce {
    fn codes(&self) -> Result<Codes, Fault> {
        let unknown = |what: &str, code: u8| Fault::Unsupported(format!("{what} {code} does not exist"));
        let op = ReduceOp::of(self.op).ok_or_else(|| unknown("reduction", self.op))?;
        let scope = ReduceScope::of(self.scope).ok_or_else(|| unknown("reduction scope", self.scope))?;
        let order = ReduceOrder::of(self.order).ok_or_else(|| unknown("reduction order", self.order))?;
        let data_type = data_type(self.data_type)?;
        if !matches!(data_type, DataType::F16 | DataType::F32)
            || (scope == ReduceScope::Pair && op != ReduceOp::Sum)
        {
            let text = format!("{op:?} of each {scope:?} of {data_type:?} does not exist on this device");
            return Err(Fault::Unsupported(text));
        }
        Ok(Codes { op, scope, order, data_type })
    }

    fn lanes(&self, codes: Codes) -> Lanes {
        Lanes::new(&self.mask, self.repeat, codes.per_repeat())
    }

    fn src(&self, codes: Codes) -> Operand {
        Operand::new(self.src, codes.data_type.bits(), self.src_block_stride, self.src_repeat_stride)
    }

    /// What an index counts on from one repeat to the next: the elements of a repeat; over all repeats, elements of
    /// the source.
    fn elements_of_a_repeat(&self, codes: Codes) -> u64 {
        match codes.scope {
            ReduceScope::All => u64::from(self.src_repeat_stride) * (lanes::BLOCK / codes.element()) as u64,
            _ => codes.per_repeat() as u64,
        }
    }

    /// Where the results of a repeat are, from the start of the destination.
    fn place(&self, codes: Codes, repeat: u64) -> u64 {
        repeat * u64::from(self.dst_repeat_stride) * codes.unit()
    }
}

impl Semantics for abi::Reduce {
    fn check(&self) -> Result<(), Fault> {
        let codes = self.codes()?;
        if codes.scope == ReduceScope::All {
            // Stands for several instructions, each within the limit.
            lanes::check_lanes(&self.mask, self.repeat.min(1))?;
        } else {
            lanes::check_lanes(&self.mask, self.repeat)?;
        }
        within("dst repeat stride", self.dst_repeat_stride.into(), 0, 65535)?;
        within("src block stride", self.src_block_stride.into(), 0, 65535)?;
        within("src repeat stride", self.src_repeat_stride.into(), 0, 65535)?;
        lanes::check_address("dst", self.dst, codes.alignment())?;
        lanes::check_address("src", self.src, 32)
    }

    fn accesses(&self, _memory: &CoreMemory, visit: &mut dyn FnMut(Access)) {
        let Ok(codes) = self.codes() else { return };
        let lanes = self.lanes(codes);
        let src = self.src(codes);
        src.accesses(&lanes, Use::Read, visit);
        if src.extent(&lanes) > Space::Ub.size() as u64 {
            return;
        }
        let result = codes.result() as u64;
        if codes.scope == ReduceScope::All {
            if (0..lanes.repeats).any(|repeat| lanes.active(repeat).span > 0) {
                visit(Access::run(Address(self.dst), Use::Write, result));
            }
            return;
        }
        let mut runs = Runs::new(Use::Write, visit);
        for repeat in 0..lanes.repeats {
            let active = lanes.active(repeat);
            for group in 0..codes.per_repeat() / codes.group() {
                if part(active, codes, group).span > 0 {
                    runs.push(
                        self.dst.wrapping_add(self.place(codes, repeat) + group as u64 * result),
                        result,
                    );
                }
            }
        }
        runs.finish();
    }

    fn run(&self, memory: &CoreMemory, registers: &mut Registers) -> Result<(), Fault> {
        let codes = self.codes()?;
        let lanes = self.lanes(codes);
        let src = self.src(codes);
        let from = src.region(memory, &lanes)?;
        let result = codes.result();
        let mut staging = Bytes::ZERO;
        let mut total = 0.0;
        let mut best: Option<(f32, u64)> = None;
        for repeat in 0..lanes.repeats {
            let active = lanes.active(repeat);
            src.load(&from, repeat, active, &mut staging)?;
            let mut values = to_f32(codes.data_type, &staging, active.span);
            if codes.op == ReduceOp::Sum {
                for (lane, value) in values.iter_mut().enumerate() {
                    if !active.has(lane) {
                        *value = 0.0;
                    }
                }
            }
            for group in 0..codes.per_repeat() / codes.group() {
                let part = part(active, codes, group);
                // A group without a lane leaves its result as it is.
                if part.span == 0 {
                    continue;
                }
                let members = &mut values[group * codes.group()..][..codes.group()];
                let mut bytes = [0; 8];
                if codes.op == ReduceOp::Sum {
                    let sum = tree_sum(members, codes.data_type == DataType::F16);
                    bytes[..4].copy_from_slice(&value_bytes(codes.data_type, sum));
                    let mut sums = [total + sum];
                    if codes.data_type == DataType::F16 {
                        round_to_half(&mut sums);
                    }
                    [total] = sums;
                } else {
                    let (value, lane) = extreme(codes.op, members, part);
                    if best.is_none_or(|(best, _)| beats(codes.op, value, best)) {
                        let lane = (group * codes.group() + lane) as u64;
                        best = Some((value, repeat * self.elements_of_a_repeat(codes) + lane));
                    }
                    bytes = codes.extreme_bytes(value, lane as u32);
                }
                if codes.scope == ReduceScope::All {
                    continue;
                }
                let at = self.dst.wrapping_add(self.place(codes, repeat) + (group * result) as u64);
                Region::of(memory, at, result as u64)?.write(0, &bytes[..result])?;
            }
        }
        if codes.scope == ReduceScope::All && lanes.repeats > 0 {
            let bytes = match best {
                Some((value, index)) => Some(codes.extreme_bytes(value, index as u32)),
                None if codes.op == ReduceOp::Sum => {
                    let mut bytes = [0; 8];
                    bytes[..4].copy_from_slice(&value_bytes(codes.data_type, total));
                    Some(bytes)
                }
                None => None,
            };
            if let Some(bytes) = bytes {
                Region::of(memory, self.dst, result as u64)?.write(0, &bytes[..result])?;
            }
        }
        if matches!(codes.scope, ReduceScope::Repeat | ReduceScope::All) && lanes.repeats > 0 {
            let bits = |value| u64::from(u32::from_le_bytes(value_bytes(codes.data_type, value)));
            match best {
                // Over all repeats (docs: GetReduceRepeatMaxMinSpr).
                Some((value, index)) => registers.reduce_max_min = index << 32 | bits(value),
                None => registers.reduce_sum = bits(total),
            }
        }
        Ok(())
    }
}
