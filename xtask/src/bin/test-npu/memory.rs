//! Memory: copies, fills, allocation, and memory that is not there.

use ascendcl::{DeviceBuffer, Error, ErrorKind};

use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Gap, Need, Skip, ensure};

pub fn cases() -> Vec<Case<Machine>> {
    vec![
        Case::new("memory/copy round trip", round_trip),
        Case::new("memory/pinned copies", pinned),
        Case::new("memory/copies of parts within the device", parts),
        Case::new("memory/fill", fill),
        Case::new("memory/buffers do not overlap", overlap),
        Case::new("memory/memory is given back", given_back),
        Case::new("memory/too much memory", too_much),
        Case::new("memory/copy between devices", peer).needs(Need::TwoDevices),
    ]
}

/// Bytes that differ from their neighbours and from those of another seed.
fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3] ^ seed).collect()
}

fn round_trip(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    // Around the sizes of a cache line, a page and a huge page.
    let sizes = [1, 31, 32, 33, 511, 4096, 4097, (2 << 20) - 1, (2 << 20) + 1, (32 << 20) + 3];
    for (seed, size) in sizes.into_iter().enumerate() {
        let values = pattern(size, seed as u8);
        let buffer = stream.alloc_from(&values)?;
        ensure!(stream.download_vec(&buffer)? == values, "{size} bytes came back as others");
    }
    let empty = stream.alloc_from::<u8>(&[])?;
    ensure!(stream.download_vec(&empty)?.is_empty(), "an empty buffer is not empty");
    Ok(Done::PASSED)
}

fn pinned(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let values = pattern(8 << 20, 5);
    let mut host = stream.alloc_pinned::<u8>(values.len())?;
    host.as_mut_slice()?.copy_from_slice(&values);
    let mut device = stream.alloc::<u8>(values.len())?;
    let mut back = stream.alloc_pinned::<u8>(values.len())?;
    let (start, middle, end) =
        (machine.device.timing_event()?, machine.device.timing_event()?, machine.device.timing_event()?);
    stream.record(&start)?;
    stream.upload_pinned(&host, &mut device)?;
    stream.record(&middle)?;
    stream.download_pinned(&device, &mut back)?;
    stream.record(&end)?;
    ensure!(back.as_slice()? == values, "other bytes came back");
    end.synchronize()?;
    let rate = |time: std::time::Duration| values.len() as f64 / time.as_secs_f64().max(1e-9) / 1e9;
    let (up, down) = (rate(middle.elapsed_since(&start)?), rate(end.elapsed_since(&middle)?));
    Ok(Done::noting(format!("8 MiB: {up:.1} GB/s up, {down:.1} GB/s down")))
}

fn parts(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let values: Vec<u32> = (0..10_000).collect();
    let from = stream.alloc_from(&values)?;
    let mut to = stream.alloc_from(&vec![7u32; 10_000])?;
    for (at, source, len) in [(0, 9_000, 1), (1, 13, 999), (5_000, 0, 5_000)] {
        stream.copy(from.slice(source..source + len)?, to.slice_mut(at..at + len)?)?;
    }
    let mut expected = vec![7u32; 10_000];
    expected[0] = 9_000;
    expected[1..1_000].copy_from_slice(&values[13..1_012]);
    expected[5_000..].copy_from_slice(&values[..5_000]);
    ensure!(stream.download_vec(&to)? == expected, "the parts are not where they belong");
    Ok(Done::PASSED)
}

fn fill(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let mut buffer = stream.alloc_from(&vec![0u8; (1 << 20) + 5])?;
    stream.fill_bytes(&mut buffer, 0xa5)?;
    stream.fill_bytes(buffer.slice_mut(64..4_096)?, 0x11)?;
    let values = stream.download_vec(&buffer)?;
    let right =
        |(index, value): (usize, &u8)| *value == if (64..4_096).contains(&index) { 0x11 } else { 0xa5 };
    let wrong = values.iter().enumerate().find(|(index, value)| !right((*index, value)));
    ensure!(wrong.is_none(), "byte {wrong:?} is not what was filled in");
    Ok(Done::PASSED)
}

fn overlap(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let mut buffers = (0..100u8)
        .map(|number| stream.alloc::<u8>(1_000 + usize::from(number) * 777))
        .collect::<Result<Vec<DeviceBuffer<u8>>, _>>()?;
    for (number, buffer) in buffers.iter_mut().enumerate() {
        stream.fill_bytes(buffer, number as u8)?;
    }
    // Every third one is replaced, which takes memory that was used before.
    for number in (0..100).step_by(3) {
        buffers[number] = stream.alloc::<u8>(2_000)?;
        stream.fill_bytes(&mut buffers[number], number as u8)?;
    }
    for (number, buffer) in buffers.iter().enumerate() {
        let values = stream.download_vec(buffer)?;
        ensure!(
            values.iter().all(|value| usize::from(*value) == number),
            "buffer {number} has bytes of another one"
        );
    }
    Ok(Done::PASSED)
}

/// Judged by what the pool says of itself, and by what the device says is free: others may use the device, too, so half of
/// the size is allowed for them.
fn given_back(machine: &mut Machine) -> Answer {
    const SIZE: usize = 64 << 20;
    let stream = machine.stream()?;
    let state = || Ok::<_, Error>((machine.device.pool_statistics(), machine.device.memory_info()?.free));
    machine.device.trim_pools()?;
    let (before, free_before) = state()?;
    let buffer = stream.alloc::<u8>(SIZE)?;
    let (during, free_during) = state()?;
    drop(buffer);
    stream.synchronize()?;
    machine.device.trim_pools()?;
    let (after, free_after) = state()?;
    ensure!(during.reserved_bytes >= before.reserved_bytes + SIZE, "{before:?}, then {during:?}");
    ensure!(after.reserved_bytes <= before.reserved_bytes, "{before:?}, afterwards {after:?}");
    let [free_mib, during_mib, after_mib, size_mib] =
        [free_before, free_during, free_after, SIZE].map(|bytes| bytes >> 20);
    let free = format!("{free_mib} MiB free, {during_mib} with {size_mib} allocated, {after_mib} afterwards");
    ensure!(free_during + SIZE / 2 <= free_before, "the device does not know of the allocation: {free}");
    ensure!(free_after + SIZE / 2 >= free_before, "the device has not got the memory back: {free}");
    Ok(Done::noting(free))
}

fn too_much(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let total = machine.device.memory_info()?.total;
    match stream.alloc::<u8>(total + (1 << 30)) {
        Ok(_) => return Err(format!("more than the {total} bytes of the device were allocated").into()),
        Err(Error::Acl(error)) => {
            ensure!(error.kind() == ErrorKind::OutOfMemory, "{error}: not told as a lack of memory")
        }
        Err(other) => return Err(other.into()),
    }
    let buffer = stream.alloc_from(&[1u8, 2, 3])?;
    ensure!(stream.download_vec(&buffer)? == [1, 2, 3], "the device does not work any more");
    Ok(Done::PASSED)
}

fn peer(machine: &mut Machine) -> Answer {
    let second = machine.second()?;
    let (here, there) = (machine.stream()?, second.stream()?);
    if !machine.device.can_access_peer(&second)? {
        let reason = format!("{:?} cannot access {second:?}", machine.device);
        return Ok(Done::Skipped(Skip::gap(Gap::SecondDevice, reason)));
    }
    machine.device.enable_peer_access(&second)?;
    let values = pattern(3 << 20, 9);
    let from = there.alloc_from(&values)?;
    let mut to = here.alloc::<u8>(values.len())?;
    here.copy_from_peer(&from, &mut to)?;
    ensure!(here.download_vec(&to)? == values, "other bytes came over");
    Ok(Done::PASSED)
}
