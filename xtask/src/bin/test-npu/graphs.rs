//! Graphs that are captured and replayed.

use mlapo::{Backend, Config, Mlapo, Weights};

use crate::call::{Expected, Spoiler, Tensors, WEIGHTS, slots};
use crate::machine::Machine;
use crate::suite::{Answer, Case, Done, Need, ensure};

pub fn cases() -> Vec<Case<Machine>> {
    vec![
        Case::new("graphs/capture and replay", replay),
        Case::new("graphs/a graph keeps its memory", memory),
        Case::new("graphs/the fused operation in a graph", operation).needs(Need::Kernel),
    ]
}

fn replay(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let mut from = stream.alloc_from(&[0u32; 4_096])?;
    let mut to = stream.alloc_from(&[7u32; 4_096])?;
    let graph = stream.capture(|stream| stream.copy(&from, &mut to))?;
    ensure!(stream.download_vec(&to)? == [7; 4_096], "the capture itself did the work");
    for round in 0..100u32 {
        stream.upload(&[round; 4_096], &mut from)?;
        graph.launch(&stream)?;
        ensure!(stream.download_vec(&to)? == [round; 4_096], "replay {round} copied other values");
    }
    Ok(Done::PASSED)
}

/// Buffers of the graph are dropped, and others may not get their memory.
fn memory(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let mut to = stream.alloc_from(&[0u8; 1 << 16])?;
    let graph = {
        let from = stream.alloc_from(&[3u8; 1 << 16])?;
        stream.capture(|stream| stream.copy(&from, &mut to))?
    };
    let mut others = Vec::new();
    for _ in 0..10 {
        others.push(stream.alloc_from(&[9u8; 1 << 16])?);
    }
    graph.launch(&stream)?;
    ensure!(stream.download_vec(&to)? == [3; 1 << 16], "the graph read memory that others had got");
    Ok(Done::PASSED)
}

fn operation(machine: &mut Machine) -> Answer {
    let stream = machine.stream()?;
    let config = Config::builder().num_heads(4).build()?;
    let mut operation =
        Mlapo::new(&stream, config.clone(), &Weights::random(&config, WEIGHTS), Backend::Kernel)?;
    let slots = slots(5);
    let mut direct = Tensors::new(&stream, &operation, &slots)?;
    direct.forward(&stream, &mut operation, &machine.launch)?;
    let computed = direct.results(&stream)?;
    let note = Expected::new(&stream, &config, &slots)?.judge(&config, &computed)?;
    let mut spoiler = Spoiler::new(&stream, &config)?;
    let mut replayed = Tensors::new(&stream, &operation, &slots)?;
    let before = replayed.results(&stream)?;
    let mut queued = Ok(());
    let graph = stream.capture(|stream| {
        queued = replayed.forward(stream, &mut operation, &machine.launch);
        Ok(())
    });
    queued?;
    let graph = graph?;
    ensure!(replayed.results(&stream)? == before, "the capture itself did the work");
    for round in 0..3 {
        spoiler.spoil(&stream, &mut replayed)?;
        graph.launch(&stream)?;
        ensure!(replayed.results(&stream)? == computed, "replay {round} is not the same as a direct call");
    }
    Ok(Done::noting(note))
}
