//! What the threads of the soak test do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use ascendcl::{Device, Event, Graph, Stream};

use crate::memory::{Fault, Memory, Pinned, Step, compare};

/// Buffers of each kind on a device.
const BUFFERS: usize = 12;
const EVENTS: usize = 8;
/// Graphs that a thread keeps for later.
const GRAPHS: usize = 4;
/// The longest buffer.
const LONGEST: usize = 20_000;

type Done = Result<(), String>;

/// What all threads work on.
pub struct Setting {
    sides: [Side; 2],
    fault: Fault,
    copies: AtomicU64,
    launches: AtomicU64,
    /// Host functions queued, and run.
    queued: AtomicU64,
    run: Arc<AtomicU64>,
}

/// One device. Whoever locks several things locks memory by its number, then pinned memory, then a stream.
struct Side {
    device: Device,
    /// Locked for writing while the stream is being captured: what another thread queued on it then would be captured.
    streams: Vec<RwLock<Stream>>,
    memory: Vec<Mutex<Memory>>,
    pinned: Vec<Mutex<Pinned>>,
    events: Vec<Event>,
}

impl Setting {
    pub fn new(devices: [Device; 2], streams: usize, fault: Fault) -> ascendcl::Result<Self> {
        devices[0].enable_peer_access(&devices[1])?;
        devices[1].enable_peer_access(&devices[0])?;
        let [a, b] = devices.map(|device| Side::new(device, streams));
        let (queued, run) = (AtomicU64::new(0), Arc::default());
        Ok(Self {
            sides: [a?, b?],
            fault,
            copies: AtomicU64::new(0),
            launches: AtomicU64::new(0),
            queued,
            run,
        })
    }

    /// Every buffer holds what the model says, and every host function has run.
    pub fn check_everything(&self) -> Done {
        for side in &self.sides {
            side.device.synchronize().map_err(text)?;
            let stream = side.device.stream().map_err(text)?;
            for memory in &side.memory {
                let memory = memory.lock().unwrap();
                let got = stream.download_vec(&memory.buffer).map_err(text)?;
                compare("in the end, device memory", &got, &memory.model)?;
            }
            for pinned in &side.pinned {
                let pinned = pinned.lock().unwrap();
                compare("in the end, pinned memory", pinned.buffer.as_slice().map_err(text)?, &pinned.model)?;
            }
        }
        let (queued, run) = (self.queued.load(Ordering::SeqCst), self.run.load(Ordering::SeqCst));
        if queued == run { Ok(()) } else { Err(format!("{run} of {queued} host functions ran")) }
    }
}

fn text(error: ascendcl::Error) -> String {
    format!("unexpected error: {error}")
}

impl Side {
    fn new(device: Device, streams: usize) -> ascendcl::Result<Self> {
        let streams: Vec<_> =
            (0..streams).map(|_| device.stream().map(RwLock::new)).collect::<ascendcl::Result<_>>()?;
        let stream = device.stream()?;
        let memory = (0..BUFFERS)
            .map(|number| {
                let model = vec![number as u8; 1 + number * LONGEST / BUFFERS];
                Ok(Mutex::new(Memory { buffer: stream.alloc_from(&model)?, model, generation: 0 }))
            })
            .collect::<ascendcl::Result<_>>()?;
        let pinned = (0..BUFFERS)
            .map(|number| {
                let len = 1 + number * LONGEST / BUFFERS;
                Ok(Mutex::new(Pinned { buffer: stream.alloc_pinned(len)?, model: vec![0; len] }))
            })
            .collect::<ascendcl::Result<_>>()?;
        let events = (0..EVENTS).map(|_| device.event()).collect::<ascendcl::Result<_>>()?;
        Ok(Self { device, streams, memory, pinned, events })
    }

    /// Two different buffers.
    fn two(&self, first: usize, second: usize) -> (MutexGuard<'_, Memory>, MutexGuard<'_, Memory>) {
        let lock = |number: usize| self.memory[number].lock().unwrap();
        if first < second {
            let first = lock(first);
            (first, lock(second))
        } else {
            let second = lock(second);
            (lock(first), second)
        }
    }
}

/// A graph, the buffers that it was captured on, and what it does.
struct Kept {
    graph: Graph,
    side: usize,
    buffers: [(usize, u64); 2],
    steps: Vec<Step>,
}

/// A thread.
pub struct Worker<'s> {
    setting: &'s Setting,
    state: u64,
    graphs: VecDeque<Kept>,
    pub operations: u64,
}

impl<'s> Worker<'s> {
    pub fn new(setting: &'s Setting, seed: u64) -> Self {
        let state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        Self { setting, state, graphs: VecDeque::new(), operations: 0 }
    }

    /// Works until the time is over or something is wrong.
    pub fn work_for(&mut self, time: Duration) -> Done {
        let start = Instant::now();
        while start.elapsed() < time {
            self.work()?;
            self.operations += 1;
        }
        Ok(())
    }

    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    /// A range within `len` elements, as start and length.
    fn range(&mut self, len: usize) -> (usize, usize) {
        let start = self.below(len);
        (start, 1 + self.below(len - start))
    }

    fn stream(&mut self, side: usize) -> &'s RwLock<Stream> {
        let streams = &self.setting.sides[side].streams;
        &streams[self.below(streams.len())]
    }

    fn pair(&mut self) -> (usize, usize) {
        let first = self.below(BUFFERS);
        (first, (first + 1 + self.below(BUFFERS - 1)) % BUFFERS)
    }

    fn work(&mut self) -> Done {
        let side = self.below(2);
        match self.below(24) {
            0 | 1 => self.renew(side),
            2 | 3 => self.upload(side),
            4..=8 => self.step(side),
            9..=11 => self.through_pinned_memory(side),
            12 | 13 => self.host_function_on_pinned_memory(side),
            14 => self.host_function(side),
            15 | 16 => self.events(side),
            17 | 18 => self.capture(side),
            19 | 20 => self.launch(),
            21 => self.copy_from_peer(side),
            22 => self.wait(side),
            _ => self.verify(side),
        }
    }

    /// A new buffer in the place of one that streams may still work on.
    fn renew(&mut self, side: usize) -> Done {
        let (number, len, value) = (self.below(BUFFERS), 1 + self.below(LONGEST), self.byte());
        let stream = self.stream(side);
        let mut memory = self.setting.sides[side].memory[number].lock().unwrap();
        let stream = stream.read().unwrap();
        let mut buffer = stream.alloc(len).map_err(text)?;
        stream.fill_bytes(&mut buffer, value).map_err(text)?;
        *memory = Memory { buffer, model: vec![value; len], generation: memory.generation + 1 };
        Ok(())
    }

    fn upload(&mut self, side: usize) -> Done {
        let (number, value) = (self.below(BUFFERS), self.byte());
        let stream = self.stream(side);
        let mut memory = self.setting.sides[side].memory[number].lock().unwrap();
        let (at, len) = self.range(memory.model.len());
        let values: Vec<u8> = (0..len).map(|i| value.wrapping_add((i % 251) as u8)).collect();
        memory.model[at..at + len].copy_from_slice(&values);
        let to = memory.buffer.slice_mut(at..at + len).map_err(text)?;
        stream.read().unwrap().upload(&values, to).map_err(text)
    }

    fn any_step(&mut self, first: &Memory, second: &Memory) -> Step {
        if self.below(3) == 0 {
            let (at, len) = self.range(first.model.len());
            return Step::Fill { at, len, value: self.byte() };
        }
        let (from, len) = self.range(first.model.len());
        let len = len.min(second.model.len());
        Step::Copy { from, to: self.below(second.model.len() - len + 1), len }
    }

    /// A fill or a copy within the device.
    fn step(&mut self, side: usize) -> Done {
        let (first, second) = self.pair();
        let stream = self.stream(side);
        let (mut first, mut second) = self.setting.sides[side].two(first, second);
        let step = self.any_step(&first, &second);
        step.model(&mut first, &mut second);
        let is_copy = matches!(step, Step::Copy { .. });
        if is_copy && self.setting.fault.loses(Fault::LosesCopies, &self.setting.copies) {
            return Ok(());
        }
        step.queue(&stream.read().unwrap(), &mut first, &mut second).map_err(text)
    }

    /// Device to host or host to device, without waiting.
    fn through_pinned_memory(&mut self, side: usize) -> Done {
        let (number, other, up) = (self.below(BUFFERS), self.below(BUFFERS), self.below(2) == 0);
        let stream = self.stream(side);
        let side = &self.setting.sides[side];
        let (mut memory, mut pinned) =
            (side.memory[number].lock().unwrap(), side.pinned[other].lock().unwrap());
        let (Memory { buffer, model, .. }, Pinned { buffer: host, model: host_model }) =
            (&mut *memory, &mut *pinned);
        let len = 1 + self.below(model.len().min(host_model.len()));
        let (at, host_at) = (self.below(model.len() - len + 1), self.below(host_model.len() - len + 1));
        let (range, host_range) = (at..at + len, host_at..host_at + len);
        let stream = stream.read().unwrap();
        let queued = if up {
            model[range.clone()].copy_from_slice(&host_model[host_range.clone()]);
            host.slice(host_range).and_then(|from| stream.upload_pinned(from, buffer.slice_mut(range)?))
        } else {
            host_model[host_range.clone()].copy_from_slice(&model[range.clone()]);
            buffer.slice(range).and_then(|from| stream.download_pinned(from, host.slice_mut(host_range)?))
        };
        queued.map_err(text)
    }

    fn host_function_on_pinned_memory(&mut self, side: usize) -> Done {
        let (number, value) = (self.below(BUFFERS), self.byte());
        let stream = self.stream(side);
        let mut pinned = self.setting.sides[side].pinned[number].lock().unwrap();
        let change = move |bytes: &mut [u8]| {
            bytes.reverse();
            bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3).wrapping_add(value));
        };
        change(&mut pinned.model);
        let function = move |[bytes]: [&mut [u8]; 1]| change(bytes);
        stream.read().unwrap().host_function_on([&mut pinned.buffer], function).map_err(text)
    }

    fn host_function(&mut self, side: usize) -> Done {
        let run = Arc::clone(&self.setting.run);
        let stream = self.stream(side).read().unwrap();
        stream
            .host_function(move || {
                run.fetch_add(1, Ordering::SeqCst);
            })
            .map_err(text)?;
        self.setting.queued.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// One stream waits for another, over an event that all threads record.
    fn events(&mut self, side: usize) -> Done {
        let event = &self.setting.sides[side].events[self.below(EVENTS)];
        let (first, second) = (self.stream(side), self.stream(side));
        first.read().unwrap().record(event).map_err(text)?;
        second.read().unwrap().wait(event).map_err(text)?;
        if self.below(4) == 0 {
            event.synchronize().map_err(text)?;
        }
        Ok(())
    }

    fn capture(&mut self, side: usize) -> Done {
        let numbers = self.pair();
        let stream = self.stream(side);
        let (mut first, mut second) = self.setting.sides[side].two(numbers.0, numbers.1);
        let steps: Vec<_> = (0..1 + self.below(5)).map(|_| self.any_step(&first, &second)).collect();
        let captured = stream
            .write()
            .unwrap()
            .capture(|stream| steps.iter().try_for_each(|step| step.queue(stream, &mut first, &mut second)));
        let graph = captured.map_err(text)?;
        let buffers = [(numbers.0, first.generation), (numbers.1, second.generation)];
        drop((first, second));
        self.graphs.push_back(Kept { graph, side, buffers, steps });
        if self.graphs.len() > GRAPHS {
            self.graphs.pop_front();
        }
        Ok(())
    }

    /// Launches a graph that was captured before. If a buffer has been renewed since, it works on memory that only
    /// the graph has.
    fn launch(&mut self) -> Done {
        let number = self.below(self.graphs.len());
        let Some(&Kept { side, .. }) = self.graphs.get(number) else { return Ok(()) };
        let (stream, times) = (self.stream(side), 1 + self.below(3));
        let Kept { graph, buffers: [(a, first_was), (b, second_was)], steps, .. } = &self.graphs[number];
        let (mut first, mut second) = self.setting.sides[side].two(*a, *b);
        let alive = (first.generation == *first_was, second.generation == *second_was);
        if alive == (true, false) || alive == (false, true) {
            // Half of its work would be on memory that the model does not know any more.
            return Ok(());
        }
        for _ in 0..times {
            if alive == (true, true) {
                steps.iter().for_each(|step| step.model(&mut first, &mut second));
                if self.setting.fault.loses(Fault::LosesLaunches, &self.setting.launches) {
                    continue;
                }
            }
            graph.launch(&stream.read().unwrap()).map_err(text)?;
        }
        Ok(())
    }

    fn copy_from_peer(&mut self, side: usize) -> Done {
        let (number, other) = (self.below(BUFFERS), self.below(BUFFERS));
        let stream = self.stream(side);
        // Locked in the order of the devices.
        let [a, b] = if side == 0 { [number, other] } else { [other, number] };
        let mut locked = [
            self.setting.sides[0].memory[a].lock().unwrap(),
            self.setting.sides[1].memory[b].lock().unwrap(),
        ];
        let [here, there] = &mut locked;
        let (to, from) = if side == 0 { (here, there) } else { (there, here) };
        let len = 1 + self.below(to.model.len().min(from.model.len()));
        let (at, from_at) = (self.below(to.model.len() - len + 1), self.below(from.model.len() - len + 1));
        to.model[at..at + len].copy_from_slice(&from.model[from_at..from_at + len]);
        let source = from.buffer.slice(from_at..from_at + len).map_err(text)?;
        let target = to.buffer.slice_mut(at..at + len).map_err(text)?;
        stream.read().unwrap().copy_from_peer(source, target).map_err(text)
    }

    fn wait(&mut self, side: usize) -> Done {
        let (kind, number) = (self.below(5), self.below(BUFFERS));
        let stream = self.stream(side);
        let side = &self.setting.sides[side];
        match kind {
            0 => stream.read().unwrap().synchronize().map_err(text),
            1 => stream.read().unwrap().is_idle().map(drop).map_err(text),
            2 => side.memory[number].lock().unwrap().buffer.synchronize().map_err(text),
            // A stream that comes and goes.
            3 => side.device.stream().map(drop).map_err(text),
            _ => side.device.trim_pools().map_err(text),
        }
    }

    fn verify(&mut self, side: usize) -> Done {
        let number = self.below(BUFFERS);
        let stream = self.stream(side);
        let side = &self.setting.sides[side];
        if self.below(2) == 0 {
            let memory = side.memory[number].lock().unwrap();
            let got = stream.read().unwrap().download_vec(&memory.buffer).map_err(text)?;
            return compare("device memory", &got, &memory.model);
        }
        let pinned = side.pinned[number].lock().unwrap();
        compare("pinned memory", pinned.buffer.as_slice().map_err(text)?, &pinned.model)
    }
}
