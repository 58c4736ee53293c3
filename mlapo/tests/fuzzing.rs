//! The fuzz targets of `mlapo/fuzz` on a bounded number of cases: edge cases made by hand, and mutations of good input
//! from a fixed seed. A case that fails is printed with its number, which with the seed is all that it depends on.
// Helpers outside of test functions unwrap, too.
#![allow(clippy::unwrap_used)]

mod fuzz;
#[path = "fuzz/mutation.rs"]
mod mutation;

use std::path::Path;

use fuzz::checkpoint_reader::{Files, SHARD, checkpoint_reader};
use fuzz::fixture_reader::fixture_reader;
use fuzz::format_conversion::{convert, format_conversion};
use fuzz::tiling::{deepseek_v3, plan, tiling};
use fuzz::{allocations, tiling_check};
use mlapo::checkpoint::{ModelConfig, synth};
use mlapo::{Dtype, QuantMode};
use mlapo_kernel::{Shape, Tiling};
use mutation::Mutator;

/// Runs `count` cases, or as many times as many as `MLAPO_FUZZ_TIMES` says, and says which one it was if it panics; how
/// many of a hundred answered `true`.
fn cases(target: &str, count: usize, mut case: impl FnMut(&mut Mutator) -> bool) -> usize {
    const SEED: u64 = 0x5EED;
    struct Running<'a>(&'a str, usize);
    impl Drop for Running<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("{}: case {} of seed {SEED:#x}", self.0, self.1);
            }
        }
    }
    let times: usize = std::env::var("MLAPO_FUZZ_TIMES").map_or(1, |times| times.parse().unwrap());
    let (mut good, all) = (0, count * times);
    for number in 0..all {
        let _running = Running(target, number);
        good += usize::from(case(&mut Mutator::new(SEED ^ ((number as u64 + 1) << 20))));
    }
    good * 100 / all
}

fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let names = [
        "public/p01_fp16_cm0_qm0_n1_h1",
        "public/p07_fp16_cm1_qm1_n2_h8",
        "public/p19_bf16_cm0_qm0_n3_h1_ties",
        "sgl/s01_sgl_bf16_cm1_n5_h4",
    ];
    names.map(|name| std::fs::read(folder.join(name).with_extension("safetensors")).unwrap()).to_vec()
}

/// A whole file with this header.
fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Headers that claim what is not there.
fn hostile_files() -> Vec<Vec<u8>> {
    let tensor = |dtype: &str, shape: &str, offsets: &str| {
        with_header(
            &format!(r#"{{"t":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#),
            &[0; 8],
        )
    };
    vec![
        vec![],
        vec![0; 7],
        vec![0; 8],
        vec![0xFF; 64],
        u64::MAX.to_le_bytes().to_vec(),
        (100_000_000u64).to_le_bytes().to_vec(),
        with_header("", &[]),
        with_header("{}", &[]),
        with_header("null", &[]),
        with_header(&"[".repeat(5000), &[]),
        with_header(&format!(r#"{{"__metadata__":{{"case":"{}"}}}}"#, "[".repeat(5000)), &[]),
        with_header(r#"{"__metadata__":{"case":"{}"}}"#, &[]),
        tensor("I8", "[8]", "[0,8]"),
        tensor("I8", "[18446744073709551615,2]", "[0,8]"),
        tensor("I8", "[4294967296,4294967296]", "[0,8]"),
        tensor("F32", "[4611686018427387904]", "[0,0]"),
        tensor("I8", "[8]", "[8,0]"),
        tensor("I8", "[8]", "[18446744073709551615,18446744073709551615]"),
        tensor("I8", "[8]", "[0,9]"),
        tensor("F4", "[3]", "[0,1]"),
        tensor("I64", "[]", "[0,8]"),
    ]
}

#[test]
fn fixture_reader_takes_any_file() {
    for (number, file) in hostile_files().into_iter().enumerate() {
        assert!(!fixture_reader(&file), "hostile file {number} is no fixture");
    }
    let good = fixtures();
    assert!(good.iter().all(|bytes| fixture_reader(bytes)));
    let opened = cases("fixture_reader", 1500, |mutator| fixture_reader(&mutator.safetensors(&good)));
    // Most mutations are of values, which a reader cannot doubt, or of the description, which it must.
    assert!((10..90).contains(&opened), "{opened} % were opened");
}

/// A small checkpoint as the library writes it, in one shard.
fn checkpoint(dtype: Dtype, quant_mode: QuantMode, with_index: bool) -> Files {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("synth");
    let model = ModelConfig {
        hidden_size: 32,
        num_heads: 2,
        num_layers: 2,
        q_lora_rank: 32,
        kv_lora_rank: 32,
        qk_nope_head_dim: 16,
        qk_rope_head_dim: 16,
        v_head_dim: 8,
        rms_norm_eps: 1e-6,
        dtype,
    };
    let options = synth::SynthOptions { model, quant_mode, seed: 7, shard_bytes: 1 << 30 };
    synth::write(&dir, &options, &|_| ()).unwrap();
    let mut files = Files::default();
    let mut shard = String::new();
    let mut index = String::new();
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        if name == "config.json" {
            files.config = bytes;
        } else if name.ends_with(".safetensors") {
            (shard, files.shard) = (name, bytes);
        } else if name.ends_with(".index.json") {
            index = String::from_utf8(bytes).unwrap();
        }
    }
    files.index = with_index.then(|| index.replace(&shard, SHARD).into_bytes());
    files
}

#[test]
fn checkpoint_reader_takes_any_files() {
    let good = [
        checkpoint(Dtype::Bf16, QuantMode::PerTensor, true),
        checkpoint(Dtype::Fp16, QuantMode::PerTensor, false),
        checkpoint(Dtype::Bf16, QuantMode::PerToken, true),
    ];
    for files in &good {
        assert!(checkpoint_reader(&files.encode()) >= 4, "two layers, each in at least two ways");
    }
    for shard in hostile_files() {
        for index in [None, good[0].index.clone(), Some(b"{}".to_vec()), Some(b"[".repeat(5000))] {
            let files = Files { shard: shard.clone(), index, ..good[0].clone() };
            assert_eq!(checkpoint_reader(&files.encode()), 0);
        }
    }
    for name in ["../model.safetensors", "/etc/passwd", "", ".", "model.safetensors/", "config.json"] {
        let index = String::from_utf8(good[0].index.clone().unwrap()).unwrap().replace(SHARD, name);
        let files = Files { index: Some(index.into_bytes()), ..good[0].clone() };
        assert_eq!(checkpoint_reader(&files.encode()), 0, "a shard named `{name}`");
    }
    let loaded = cases("checkpoint_reader", 900, |mutator| {
        let mut files = good[mutator.below(good.len())].clone();
        let other = &good[mutator.below(good.len())];
        match mutator.below(4) {
            0 => files.config = mutator.text(&[files.config, other.config.clone()]),
            1 => files.index = files.index.map(|index| mutator.text(&[index])),
            _ => files.shard = mutator.safetensors(&[files.shard, other.shard.clone()]),
        }
        checkpoint_reader(&files.encode()) > 0
    });
    assert!((10..90).contains(&loaded), "{loaded} % were loaded");
    cases("checkpoint_reader on anything", 100, |mutator| checkpoint_reader(&mutator.random(400)) > 0);
}

#[test]
fn tiling_takes_any_shape() {
    let (small, large) = (deepseek_v3(), Shape { tokens: 4096, num_heads: 4096, ..deepseek_v3() });
    for cores in [1, 3, 20, 24, 64] {
        for shape in [
            small,
            large,
            Shape { hidden_size: 65536, q_lora_rank: 65536, ..large },
            Shape { kv_lora_rank: 1920, qk_nope_head_dim: 1024, qk_rope_head_dim: 128, ..large },
            Shape { qk_nope_head_dim: 1008, qk_rope_head_dim: 16, ..large },
            Shape { qk_nope_head_dim: 976, qk_rope_head_dim: 48, ..large },
            Shape { hidden_size: 32, q_lora_rank: 32, kv_lora_rank: 32, num_heads: 1, tokens: 1, ..small },
        ] {
            assert!(plan(&shape, cores), "{shape:?}");
        }
    }
    for shape in [
        Shape { qk_nope_head_dim: 1024, qk_rope_head_dim: 48, ..small },
        Shape { tokens: usize::MAX, ..small },
        Shape { hidden_size: usize::MAX - 31, ..small },
        Shape { num_heads: 1 << 62, ..small },
        Shape { block_size: 0, ..small },
        Shape { cache_mode: 255, ..small },
        Shape { qk_rope_head_dim: 0, ..small },
    ] {
        assert!(!plan(&shape, 20), "{shape:?}");
    }
    assert!(!plan(&small, 0) && !plan(&small, usize::MAX));
    let planned = cases("tiling", 4000, |mutator| tiling(&mutator.random(200)));
    assert!((20..80).contains(&planned), "{planned} % were planned");
}

/// Planted faults: the check of plans finds every word that is larger than it should be.
#[test]
fn the_check_of_plans_finds_tampered_ones() {
    let fused = Shape { bf16: false, short_scales: true, ..deepseek_v3() };
    let int8 = Shape { cache_mode: 2, tokens: 300, ..deepseek_v3() };
    for shape in [deepseek_v3(), fused, int8] {
        let good = Tiling::plan(&shape, 20).unwrap();
        tiling_check::check(&good, &shape, 20).unwrap();
        let words = good.as_bytes().len() / 4;
        // A tile may be said to have more units than a block ever has; the kernel stops at the block's end.
        let harmless: Vec<usize> =
            (0..3).map(|product| word_of(&good, |t| &mut t.product[product].tile_units)).collect();
        for word in (0..words).filter(|word| !harmless.contains(word)) {
            let mut bytes = good.as_bytes().to_vec();
            let place = &mut bytes[word * 4..word * 4 + 4];
            let value = u32::from_le_bytes(place.try_into().unwrap());
            place.copy_from_slice(&(value.wrapping_mul(2).wrapping_add(1)).to_le_bytes());
            let bad = tiling_of(&bytes);
            assert!(tiling_check::check(&bad, &shape, 20).is_err(), "word {word} of {good:?}");
        }
    }
    let shape = Shape { tokens: 4096, num_heads: 128, ..deepseek_v3() };
    let good = Tiling::plan(&shape, 20).unwrap();
    type Tamper = fn(&mut Tiling);
    let faults: [(&str, Tamper, &str); 9] = [
        ("tiles too wide", |t| t.product[1].tile_units *= 4, "L1"),
        (
            "an absorbed tile in two heads",
            |t| t.product[2].tile_units = 3 * 512 / t.product[2].unit,
            "absorb: a tile cuts",
        ),
        ("a chunk too few", |t| t.product[0].inner_chunks -= 1, "down: "),
        ("steps too long", |t| t.product[0].step = t.product[0].inner_chunk * 2, "down: steps"),
        ("rows forgotten", |t| t.row_chunks -= 1, "chunks of token rows"),
        ("a part of the row forgotten", |t| t.hidden_part -= 32, "hidden: "),
        ("parts of the workspace on each other", |t| t.query_offset -= 512, "workspace: query starts"),
        ("too little workspace", |t| t.workspace_bytes -= 512, "workspace: "),
        (
            "a unit that cuts rotary columns",
            |t| {
                let up = &mut t.product[1];
                (up.unit, up.units, up.tile_units) = (16, up.columns / 16, 3);
            },
            "up: a tile cuts",
        ),
    ];
    for (name, tamper, expected) in faults {
        let mut bad = good;
        tamper(&mut bad);
        let fault = tiling_check::check(&bad, &shape, 20).expect_err(name);
        assert!(fault.contains(expected), "{name}: {fault}");
    }
}

/// Which word of a plan a field is.
fn word_of(plan: &Tiling, field: impl Fn(&mut Tiling) -> &mut u32) -> usize {
    let mut changed = *plan;
    *field(&mut changed) ^= 1;
    plan.as_bytes().iter().zip(changed.as_bytes()).position(|(a, b)| a != b).unwrap() / 4
}

fn tiling_of(bytes: &[u8]) -> Tiling {
    bytemuck::pod_read_unaligned(bytes)
}

/// The check's sizes of slots are the kernel's.
#[test]
fn the_check_of_plans_has_the_slots_of_the_kernel() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mlapo-kernel/kernel");
    let constant = |file: &str, name: &str| -> u64 {
        let text = std::fs::read_to_string(source.join(file)).unwrap();
        let (_, rest) = text.split_once(&format!("constexpr uint32_t {name} = ")).unwrap();
        rest.split_once(';')
            .unwrap()
            .0
            .split('*')
            .map(|factor| factor.trim().parse::<u64>().unwrap())
            .product()
    };
    assert_eq!(constant("cube.h", "WEIGHT_SLOTS"), tiling_check::WEIGHT_SLOTS);
    assert_eq!(constant("cube.h", "WEIGHT_SLOT_BYTES"), tiling_check::WEIGHT_SLOT);
    assert_eq!(constant("cube.h", "ROW_SLOTS"), tiling_check::ROW_SLOTS);
    assert_eq!(constant("cube.h", "ROW_SLOT_BYTES"), tiling_check::ROW_SLOT);
    assert_eq!(constant("cube.h", "SCALE_COLUMNS"), tiling_check::SCALE_COLUMNS);
    assert_eq!(constant("buffers.h", "LONGEST_PIECE"), tiling_check::PIECE);
}

#[test]
fn format_conversion_takes_any_dimensions() {
    const HUGE: [usize; 7] =
        [usize::MAX, usize::MAX - 15, 1 << 63, 1 << 62, 1 << 60, (1 << 32) + 1, isize::MAX as usize];
    for huge in HUGE {
        for len in [0, 1, 512] {
            for dimensions in [
                [huge, 1, 1],
                [1, huge, 1],
                [1, 1, huge],
                [huge, huge, huge],
                [huge, 0, 7],
                [huge, 7, 0],
                [0, huge, 7],
                [2, huge, 0],
                [16, 1 << 60, 1],
            ] {
                convert(dimensions, len, |i| i as i8);
                convert(dimensions, len, |i| i as u16);
            }
        }
    }
    for (rows, columns) in [(1, 1), (16, 32), (17, 33), (15, 31), (128, 256)] {
        assert!(convert([2, rows, columns], 2 * rows * columns, |i| (i % 100) as i8 + 1));
        assert!(convert([1, rows, columns], rows * columns, |i| i as u32 + 1));
        assert!(!convert([1, rows, columns], rows * columns, |i| i as i64), "no format for eight bytes");
    }
    let converted = cases("format_conversion", 3000, |mutator| format_conversion(&mutator.random(64)));
    assert!((20..80).contains(&converted), "{converted} % were converted");
}

/// The counter of memory counts.
#[test]
fn the_limit_of_memory_is_kept_watch_over() {
    let (_, held) = allocations::held_by(|| drop(vec![0u8; 1 << 20]));
    assert!((1 << 20..2 << 20).contains(&held), "{held}");
    let over = std::panic::catch_unwind(|| {
        allocations::within_limit("this", || drop(Vec::<u8>::with_capacity(allocations::LIMIT + 1)))
    });
    assert!(over.is_err());
}
