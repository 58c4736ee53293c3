//! Launches that do not what they should, which the cases must see.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use call::Launch;
use suite::Outcome;

/// A small simulated machine whose launches are planted.
fn machine(launch: Launch) -> Machine {
    let mut machine = Machine::open(true, 0, Soak::new(40, false)).unwrap();
    machine.launch = launch;
    machine
}

/// Runs the cases with these names, and answers with what they have failed with.
fn failures(launch: &Launch, names: &[&str]) -> Vec<String> {
    let mut machine = machine(launch.clone());
    let cases = cases();
    let error = |name: &&str| {
        let case = cases.iter().find(|case| case.name == *name).unwrap();
        let Outcome { verdict, .. } = case.run(&mut machine);
        match verdict {
            Verdict::Failed { error } => error,
            other => panic!("{name}: {other:?}"),
        }
    };
    names.iter().map(error).collect()
}

/// Cases that launch the fused kernel, with little to compute.
const CASES: [&str; 6] = [
    "operation/Combined cache, PerTensor, Bf16",
    "operation/SplitNzInt8 cache, PerToken, Fp16",
    "operation/tokens: 1",
    "graphs/the fused operation in a graph",
    "soak/one stream",
    "soak/two streams",
];

#[test]
fn a_launch_that_does_nothing_is_seen() {
    let nothing = Launch::planted(|_, _, _, _, _| Ok(()));
    for (name, error) in CASES.iter().zip(failures(&nothing, &CASES)) {
        assert!(error.contains("q_out0") || name.starts_with("graphs/"), "{name}: {error}");
    }
    failures(&nothing, &["vendor/MlaPreprocess, Split cache, PerTensor", "latency/fused kernel"]);
}

#[test]
fn a_launch_that_does_not_write_the_query_is_seen() {
    let only_the_cache = Launch::planted(|operation, stream, input, cache, output| {
        let tokens = output.q_out0.desc().shape()[0];
        let mut elsewhere = operation.output(stream, tokens)?;
        operation.forward(stream, input, cache, &mut elsewhere)
    });
    for (name, error) in CASES.iter().zip(failures(&only_the_cache, &CASES)) {
        assert!(error.contains("q_out0") && !error.contains("kv_cache:"), "{name}: {error}");
    }
}

/// The first launches work, one for each number of tokens; the caches and outputs then have the right results.
#[test]
fn a_launch_that_stops_to_work_is_seen() {
    for name in ["soak/one stream", "graphs/the fused operation in a graph"] {
        let works = if name.starts_with("soak/") { 8 } else { 1 };
        let launches = AtomicU64::new(0);
        let stops = Launch::planted(move |operation, stream, input, cache, output| {
            if launches.fetch_add(1, Ordering::Relaxed) < works {
                return operation.forward(stream, input, cache, output);
            }
            // A graph has to have something in it.
            stream.fill_bytes(&mut stream.alloc::<u8>(1)?, 0)?;
            Ok(())
        });
        let error = failures(&stops, &[name]).remove(0);
        assert!(error.contains("other bits") || error.contains("not the same"), "{name}: {error}");
    }
}

/// What a call has to write again is not there any more, in any tensor.
#[test]
fn spoiled_results_are_others_in_every_tensor() {
    let stream = machine(Launch::default()).stream().unwrap();
    for mode in call::CACHE_MODES {
        let config = mlapo::Config::builder().hidden_size(64).q_lora_rank(32).num_heads(1).cache_mode(mode);
        let config = config.build().unwrap();
        let weights = mlapo::Weights::random(&config, call::WEIGHTS);
        let mut operation =
            mlapo::Mlapo::new(&stream, config.clone(), &weights, mlapo::Backend::Host).unwrap();
        let mut tensors = call::Tensors::new(&stream, &operation, &[3]).unwrap();
        tensors.forward(&stream, &mut operation, &Launch::default()).unwrap();
        let written = tensors.results(&stream).unwrap();
        call::Spoiler::new(&stream, &config).unwrap().spoil(&stream, &mut tensors).unwrap();
        for (written, spoiled) in written.iter().zip(tensors.results(&stream).unwrap()) {
            assert_ne!(*written, spoiled, "{mode:?}");
        }
    }
}
