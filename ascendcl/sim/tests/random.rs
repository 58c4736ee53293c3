//! Random numbers on the device.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ffi::c_void;
use std::ptr;

use ascendcl_sys::*;
use common::*;

const UNIFORM: aclrtRandomNumFuncType = ACL_RT_RANDOM_NUM_FUNC_TYPE_UNIFORM_DIS;
const NORMAL: aclrtRandomNumFuncType = ACL_RT_RANDOM_NUM_FUNC_TYPE_NORMAL_DIS;
const TRUNCATED: aclrtRandomNumFuncType = ACL_RT_RANDOM_NUM_FUNC_TYPE_TRUNCATED_NORMAL_DIS;
const DROPOUT: aclrtRandomNumFuncType = ACL_RT_RANDOM_NUM_FUNC_TYPE_DROPOUT_BITMASK;

/// A parameter that is given by its value.
fn value<const N: usize>(bytes: [u8; N]) -> aclrtRandomParaInfo {
    let mut value = [0; 8];
    value[..N].copy_from_slice(&bytes);
    aclrtRandomParaInfo { isAddr: 0, valueOrAddr: value, size: N as u8, rsv: [0; 6] }
}

/// A parameter that is given by its address.
fn at(memory: *mut c_void) -> aclrtRandomParaInfo {
    let address = memory.expose_provenance().to_le_bytes();
    aclrtRandomParaInfo { isAddr: 1, valueOrAddr: address, size: 8, rsv: [0; 6] }
}

/// A task of two parameters, whose second one the dropout does not have.
fn task(
    kind: aclrtRandomNumFuncType,
    data_type: aclDataType,
    parameters: [aclrtRandomParaInfo; 2],
    seed: u64,
    count: u64,
    (counter, result): (*mut c_void, *mut c_void),
) -> aclrtRandomNumTaskInfo {
    let [min, max] = parameters;
    let mut info = aclrtRandomNumFuncParaInfo {
        funcType: kind,
        paramInfo: aclrtRandomNumFuncParaInfo__bindgen_ty_1 {
            uniformDisInfo: aclrtUniformDisInfo { min, max },
        },
    };
    if kind == DROPOUT {
        info.paramInfo.dropoutBitmaskInfo = aclrtDropoutBitmaskInfo { dropoutRation: min };
    }
    aclrtRandomNumTaskInfo {
        dataType: data_type,
        randomNumFuncParaInfo: info,
        randomParaAddr: ptr::null_mut(),
        randomResultAddr: result,
        randomCounterAddr: counter,
        randomSeed: value(seed.to_le_bytes()),
        randomNum: value(count.to_le_bytes()),
        rsv: [0; 8],
    }
}

fn launch(info: &aclrtRandomNumTaskInfo, stream: aclrtStream) -> aclError {
    code!(aclrtRandomNumAsync(info, stream, ptr::null_mut()))
}

/// Makes numbers of so many bytes in all.
fn generate(
    kind: aclrtRandomNumFuncType,
    data_type: aclDataType,
    parameters: [aclrtRandomParaInfo; 2],
    (seed, counter): (u64, u128),
    (count, bytes): (u64, usize),
) -> Vec<u8> {
    let (stream, state, result) = (stream(), malloc(16), malloc(bytes));
    upload(state, &counter.to_le_bytes());
    let info = task(kind, data_type, parameters, seed, count, (state, result));
    assert_eq!(launch(&info, stream), ACL_SUCCESS, "{}", message());
    ok!(aclrtSynchronizeStream(stream));
    assert_eq!(download(state, 16), counter.to_le_bytes(), "the counter is not changed");
    let numbers = download(result, bytes);
    ok!(aclrtFree(state));
    ok!(aclrtFree(result));
    ok!(aclrtDestroyStream(stream));
    numbers
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn float_pair(first: f32, second: f32) -> [aclrtRandomParaInfo; 2] {
    [value(first.to_le_bytes()), value(second.to_le_bytes())]
}

/// All 32-bit words but one come out as they are.
fn all_words() -> [aclrtRandomParaInfo; 2] {
    [value(0u32.to_le_bytes()), value(u32::MAX.to_le_bytes())]
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// Philox4x32-10 as in its publication, written for this test: a block of four words.
fn philox(counter: u128, seed: u64) -> [u32; 4] {
    let mut state: [u64; 4] = std::array::from_fn(|word| (counter >> (32 * word)) as u64 & 0xffff_ffff);
    for round in 0..10u64 {
        let key0 = ((seed & 0xffff_ffff) + round * 0x9E37_79B9) & 0xffff_ffff;
        let key1 = ((seed >> 32) + round * 0xBB67_AE85) & 0xffff_ffff;
        let (left, right) = (state[0] * 0xD251_1F53, state[2] * 0xCD9E_8D57);
        state = [
            (right >> 32) ^ state[1] ^ key0,
            right & 0xffff_ffff,
            (left >> 32) ^ state[3] ^ key1,
            left & 0xffff_ffff,
        ];
    }
    state.map(|word| word as u32)
}

/// The known answers that the generator's authors publish with it (Random123, kat_vectors).
#[test]
fn the_generator_gives_its_known_answers() {
    let _device = TestDevice::take();
    let answers: [(u128, u64, [u32; 4]); 3] = [
        (0, 0, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        (u128::MAX, u64::MAX, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            0x0370_7344_1319_8a2e_85a3_08d3_243f_6a88,
            0x299f_31d0_a409_3822,
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ];
    for (counter, seed, expected) in answers {
        let bytes = generate(UNIFORM, ACL_UINT32, all_words(), (seed, counter), (4, 16));
        assert_eq!(words(&bytes), expected);
        assert_eq!(philox(counter, seed), expected);
    }
}

#[test]
fn words_follow_the_counter() {
    let _device = TestDevice::take();
    let (seed, counter) = (0x0123_4567_89ab_cdef, u128::from(u64::MAX) - 2);
    let bytes = generate(UNIFORM, ACL_UINT32, all_words(), (seed, counter), (30, 120));
    let expected: Vec<u32> = (0..8).flat_map(|block| philox(counter + block, seed)).take(30).collect();
    assert_eq!(words(&bytes), expected);
}

#[test]
fn integers_are_within_their_range() {
    let _device = TestDevice::take();
    let block: Vec<u32> = (0..64).flat_map(|block| philox(block, 7)).collect();
    let range = [value((-5i32).to_le_bytes()), value(6i32.to_le_bytes())];
    let bytes = generate(UNIFORM, ACL_INT32, range, (7, 0), (256, 1024));
    let numbers: Vec<i32> = words(&bytes).into_iter().map(u32::cast_signed).collect();
    let expected: Vec<i32> = block.iter().map(|word| (word % 11) as i32 - 5).collect();
    assert_eq!(numbers, expected);
    assert!((-5..6).all(|number| numbers.contains(&number)));

    let (low, high) = (-(1i64 << 62), 3i64 << 40);
    let range = [value(low.to_le_bytes()), value(high.to_le_bytes())];
    let bytes = generate(UNIFORM, ACL_INT64, range, (7, 0), (128, 1024));
    for (bytes, pair) in bytes.chunks(8).zip(block.chunks(2)) {
        let word = u128::from(pair[0]) | u128::from(pair[1]) << 32;
        let expected = i128::from(low) + (word % (high - low) as u128) as i128;
        assert_eq!(i128::from(i64::from_le_bytes(bytes.try_into().unwrap())), expected);
    }
    let range = [value(10u64.to_le_bytes()), value(12u64.to_le_bytes())];
    let bytes = generate(UNIFORM, ACL_UINT64, range, (7, 0), (100, 800));
    let mut numbers: Vec<u64> =
        bytes.chunks(8).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, [10, 11]);
}

/// The mean of `count` numbers, and the mean of their squared distances from it.
fn moments(numbers: &[f32]) -> (f64, f64) {
    let count = numbers.len() as f64;
    let mean = numbers.iter().copied().map(f64::from).sum::<f64>() / count;
    let variance = numbers.iter().map(|&number| (f64::from(number) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance)
}

const COUNT: u64 = 100_000;
const BYTES: usize = 400_000;

/// Moments are within five standard errors of theory, for a seed that is always the same.
#[test]
fn uniform_numbers_have_their_moments() {
    let _device = TestDevice::take();
    let bytes = generate(UNIFORM, ACL_FLOAT, float_pair(-2.0, 6.0), (42, 0), (COUNT, BYTES));
    let numbers = floats(&bytes);
    let (mean, variance) = moments(&numbers);
    let root = (COUNT as f64).sqrt();
    // (max - min)^2 / 12; the fourth central moment of it is 9/5 of its square.
    let theory = 64.0 / 12.0;
    assert!((mean - 2.0).abs() < 5.0 * f64::sqrt(theory) / root, "{mean}");
    assert!((variance - theory).abs() < 5.0 * theory * f64::sqrt(0.8) / root, "{variance}");
    assert!(numbers.iter().all(|number| (-2.0..=6.0).contains(number)));
    // Each of eight parts has an eighth.
    for part in 0..8 {
        let low = -2.0 + part as f32;
        let share = numbers.iter().filter(|number| (low..low + 1.0).contains(*number)).count() as f64;
        assert!(
            (share - COUNT as f64 / 8.0).abs() < 5.0 * (COUNT as f64 * 7.0 / 64.0).sqrt(),
            "{part}: {share}"
        );
    }
}

#[test]
fn normal_numbers_have_their_moments() {
    let _device = TestDevice::take();
    let bytes = generate(NORMAL, ACL_FLOAT, float_pair(3.0, 2.0), (42, 0), (COUNT, BYTES));
    let numbers = floats(&bytes);
    let (mean, variance) = moments(&numbers);
    let root = (COUNT as f64).sqrt();
    assert!((mean - 3.0).abs() < 5.0 * 2.0 / root, "{mean}");
    assert!((variance - 4.0).abs() < 5.0 * 4.0 * f64::sqrt(2.0) / root, "{variance}");
    // The shares within one, two, and three standard deviations.
    for (deviations, share) in [(1.0, 0.682_689_492), (2.0, 0.954_499_736), (3.0, 0.997_300_204)] {
        let within = |number: &&f32| (f64::from(**number) - 3.0).abs() < deviations * 2.0;
        let found = numbers.iter().filter(within).count() as f64 / COUNT as f64;
        let error: f64 = share * (1.0 - share);
        assert!((found - share).abs() < 5.0 * error.sqrt() / root, "{deviations}: {found}");
    }
    // As documented: two words give two numbers.
    for (pair, words) in numbers.chunks(2).zip(philox(0, 42).chunks(2)) {
        let radius = (-2.0 * ((f64::from(words[0]) + 1.0) / 2f64.powi(32)).ln()).sqrt();
        let angle = std::f64::consts::TAU * f64::from(words[1]) / 2f64.powi(32);
        for (number, expected) in pair.iter().zip([radius * angle.cos(), radius * angle.sin()]) {
            assert!((f64::from(*number) - (3.0 + 2.0 * expected)).abs() < 1e-5);
        }
    }
}

#[test]
fn truncated_normal_numbers_have_their_moments() {
    let _device = TestDevice::take();
    let bytes = generate(TRUNCATED, ACL_FLOAT, float_pair(-1.0, 0.5), (1, 0), (COUNT, BYTES));
    let numbers = floats(&bytes);
    let (mean, variance) = moments(&numbers);
    assert!(numbers.iter().all(|number| (number + 1.0).abs() < 1.0 + 1e-6));
    // 1 - 2 a phi(a) / (2 Phi(a) - 1) at a = 2, of the variance 1/4.
    let density = (-2.0f64).exp() / std::f64::consts::TAU.sqrt();
    let theory = 0.25 * (1.0 - 4.0 * density / 0.954_499_736);
    let root = (COUNT as f64).sqrt();
    assert!((mean + 1.0).abs() < 5.0 * theory.sqrt() / root, "{mean}");
    assert!((variance - theory).abs() < 5.0 * theory * f64::sqrt(2.0) / root, "{variance}");
}

#[test]
fn half_precision_is_the_single_one_rounded() {
    let _device = TestDevice::take();
    // 1.0 and 2.0: in both types all numbers between have one exponent.
    for (data_type, low, high, bits) in
        [(ACL_FLOAT16, 0x3c00u16, 0x4000u16, 10), (ACL_BF16, 0x3f80, 0x4000, 7)]
    {
        let range = [value(low.to_le_bytes()), value(high.to_le_bytes())];
        let narrow = generate(UNIFORM, data_type, range, (5, 0), (1000, 2000));
        let wide = floats(&generate(UNIFORM, ACL_FLOAT, float_pair(1.0, 2.0), (5, 0), (1000, 4000)));
        for (bytes, wide) in narrow.chunks(2).zip(wide) {
            let steps = (f64::from(wide) - 1.0) * f64::from(1 << bits);
            let expected = low + steps.round_ties_even() as u16;
            assert_eq!(u16::from_le_bytes(bytes.try_into().unwrap()), expected);
        }
    }
}

#[test]
fn dropout_keeps_its_share() {
    let _device = TestDevice::take();
    let count = 100_003u64;
    let length = 12_501;
    let mask = |ratio: f32| generate(DROPOUT, ACL_FLOAT, float_pair(ratio, 0.0), (9, 0), (count, length));
    let kept = |mask: &[u8]| mask.iter().map(|byte| byte.count_ones()).sum::<u32>();
    let found = mask(0.4);
    let share = f64::from(kept(&found)) / count as f64;
    assert!((share - 0.6).abs() < 5.0 * (0.24 / count as f64).sqrt(), "{share}");
    assert_eq!(found[length - 1] >> 3, 0, "the last byte has three numbers");
    let first: Vec<bool> = (0..8).map(|bit| found[0] >> bit & 1 == 1).collect();
    let words = (0..2).flat_map(|block| philox(block, 9));
    let expected: Vec<bool> =
        words.map(|word| f64::from(word) / 2f64.powi(32) >= f64::from(0.4f32)).collect();
    assert_eq!(first, expected);
    assert_eq!(u64::from(kept(&mask(0.0))), count);
    assert_eq!(kept(&mask(1.0)), 0);
}

#[test]
fn parameters_in_memory_are_read_when_the_task_runs() {
    let _device = TestDevice::take();
    let stream = stream();
    let (counter, result, parameters) = (malloc(17), malloc(64), malloc(32));
    // The counter has no alignment.
    let counter = counter.wrapping_byte_add(1);
    upload(counter, &[0; 16]);
    upload(parameters, &[0; 32]);
    upload(result, &[0xee; 64]);
    let place = |index: usize| parameters.wrapping_byte_add(8 * index);
    let mut info = task(UNIFORM, ACL_INT32, [at(place(0)), at(place(1))], 0, 1, (counter, result));
    info.randomSeed = at(place(2));
    info.randomNum = at(place(3));
    info.randomParaAddr = parameters;
    let gate = Gate::close_on(stream);
    assert_eq!(launch(&info, stream), ACL_SUCCESS);
    upload(place(1), &100i32.to_le_bytes());
    upload(place(2), &3u64.to_le_bytes());
    upload(place(3), &4u64.to_le_bytes());
    gate.open();
    ok!(aclrtSynchronizeStream(stream));
    let expected = philox(0, 3).map(|word| word % 100);
    assert_eq!(words(&download(result, 16)), expected);
    assert_eq!(download(result.wrapping_byte_add(16), 48), [0xee; 48]);
    // More than there is room for is found when the task runs.
    upload(place(3), &17u64.to_le_bytes());
    assert_eq!(launch(&info, stream), ACL_SUCCESS);
    fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeStream(stream));
}

#[test]
fn replays_give_the_same_numbers() {
    let _device = TestDevice::take();
    let stream = stream();
    let (counter, result) = (malloc(16), malloc(16));
    upload(counter, &[0; 16]);
    ok!(aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL));
    assert_eq!(launch(&task(UNIFORM, ACL_UINT32, all_words(), 1, 4, (counter, result)), stream), ACL_SUCCESS);
    let mut graph = aclmdlRI::null();
    ok!(aclmdlRICaptureEnd(stream, &mut graph));
    for first in [0u8, 9] {
        upload(counter, &[first]);
        upload(result, &[0; 16]);
        ok!(aclmdlRIExecute(graph, -1));
        assert_eq!(words(&download(result, 16)), philox(first.into(), 1));
    }
}

#[test]
fn random_tasks_are_checked() {
    let _device = TestDevice::take();
    let stream = stream();
    let (counter, result, host) = (malloc(16), malloc(64), pinned(64));
    let places = (counter, result);
    let good = task(UNIFORM, ACL_FLOAT, float_pair(0.0, 1.0), 0, 16, places);
    let refused = |change: &dyn Fn(&mut aclrtRandomNumTaskInfo)| {
        let mut info = good;
        change(&mut info);
        launch(&info, stream)
    };
    assert_eq!(refused(&|_| ()), ACL_SUCCESS);
    fails!(ACL_ERROR_INVALID_PARAM, aclrtRandomNumAsync(ptr::null(), stream, ptr::null_mut()));
    fails!(ACL_ERROR_INVALID_PARAM, aclrtRandomNumAsync(&good, stream, counter));
    assert_eq!(refused(&|info| info.dataType = ACL_INT8), ACL_ERROR_INVALID_PARAM);
    let invalid: [&dyn Fn(&mut aclrtRandomNumTaskInfo); 12] = [
        &|info| info.randomNumFuncParaInfo.funcType = aclrtRandomNumFuncType(4),
        &|info| info.randomCounterAddr = ptr::null_mut(),
        &|info| info.randomResultAddr = ptr::null_mut(),
        &|info| info.randomSeed.isAddr = 2,
        &|info| info.randomSeed.size = 9,
        &|info| info.randomNum.size = 0,
        &|info| info.randomNum = value(0u64.to_le_bytes()),
        &|info| info.randomNum = value(17u64.to_le_bytes()),
        &|info| info.randomNum = value(u64::MAX.to_le_bytes()),
        &|info| info.randomSeed = aclrtRandomParaInfo { size: 4, ..at(counter) },
        &|info| info.randomCounterAddr = counter.wrapping_byte_add(1),
        &|info| {
            let mut wide = float_pair(0.0, 1.0);
            wide[1].size = 5;
            info.randomNumFuncParaInfo.paramInfo.uniformDisInfo =
                aclrtUniformDisInfo { min: wide[0], max: wide[1] };
        },
    ];
    for (index, change) in invalid.into_iter().enumerate() {
        assert_eq!(refused(change), ACL_ERROR_RT_PARAM_INVALID, "change {index}");
    }
    for place in [0, 1] {
        let change = |info: &mut aclrtRandomNumTaskInfo| match place {
            0 => info.randomResultAddr = host.cast(),
            _ => info.randomCounterAddr = host.cast(),
        };
        assert_eq!(refused(&change), ACL_ERROR_RT_INVALID_MEMORY_TYPE);
    }
    // Only uniform numbers are integers.
    for kind in [NORMAL, TRUNCATED, DROPOUT] {
        let parameters = [value(0i32.to_le_bytes()), value(1i32.to_le_bytes())];
        assert_eq!(
            launch(&task(kind, ACL_INT32, parameters, 0, 1, places), stream),
            ACL_ERROR_RT_PARAM_INVALID
        );
    }
    ok!(aclrtSynchronizeStream(stream));
    // Ranges without a number and ratios that are none fail the task.
    let empty = [value(5i32.to_le_bytes()), value(5i32.to_le_bytes())];
    for info in [
        task(UNIFORM, ACL_INT32, empty, 0, 1, places),
        task(UNIFORM, ACL_FLOAT, float_pair(1.0, 0.0), 0, 1, places),
        task(UNIFORM, ACL_FLOAT, float_pair(f32::NAN, 0.0), 0, 1, places),
        task(DROPOUT, ACL_FLOAT, float_pair(1.5, 0.0), 0, 1, places),
    ] {
        assert_eq!(launch(&info, stream), ACL_SUCCESS);
        fails!(ACL_ERROR_RT_PARAM_INVALID, aclrtSynchronizeStream(stream));
    }
}
