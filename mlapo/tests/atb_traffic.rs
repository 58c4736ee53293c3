//! What the chain of small operators is said to move is what the simulated library sees it move.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod call;

use call::{Call, MODES, stream};
use mlapo::{Backend, Config, Dtype, Launches, QuantMode, traffic};

/// The record of launches is the process's, so this is the only test here.
#[test]
fn the_traffic_is_that_of_the_launches() {
    for cache_mode in MODES {
        for quant_mode in [QuantMode::PerTensor, QuantMode::PerToken] {
            for dtype in [Dtype::Bf16, Dtype::Fp16] {
                let config = Config::builder()
                    .hidden_size(256)
                    .q_lora_rank(64)
                    .kv_lora_rank(64)
                    .qk_rope_head_dim(32)
                    .num_heads(3)
                    .cache_mode(cache_mode)
                    .quant_mode(quant_mode)
                    .dtype(dtype)
                    .build()
                    .unwrap();
                let stream = stream();
                for launches in [Launches::Graph, Launches::Single] {
                    let mut call = Call::new(&stream, &config, Backend::Unfused(launches), &[1, 2, 3], 16);
                    atb_sim::record_launches(true);
                    call.forward(&stream);
                    stream.synchronize().unwrap();
                    let seen = atb_sim::take_launches();
                    atb_sim::record_launches(false);
                    let said = traffic::unfused(&config, 3);
                    assert_eq!(seen.len(), said.len(), "{seen:?}");
                    for (seen, said) in seen.iter().zip(&said) {
                        assert!(seen.name.starts_with(said.operator), "{seen:?} {said:?}");
                        let moved = (seen.inputs_bytes, seen.outputs_bytes);
                        assert_eq!(moved, (said.read, said.written), "{seen:?} {said:?}");
                    }
                }
            }
        }
    }
}
