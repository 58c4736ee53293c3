//! Dumps of operators, into files and to a callback, and descriptions of their calls.
#![allow(clippy::macro_metavars_in_unsafe, clippy::unwrap_used, reason = "a test may panic")]

#[macro_use]
mod common;
mod operators;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs;
use std::path::{Path, PathBuf};

use ascendcl_sys::*;
use common::*;
use operators::*;
use parking_lot::{Mutex, MutexGuard};
use tempfile::TempDir;

/// There is one configuration for all tests, hence they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// What a callback got: the pieces of each file.
static RECEIVED: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

unsafe extern "C" fn receive(chunk: *const acldumpChunk, length: i32) -> i32 {
    // SAFETY: The library calls with a piece that it describes itself.
    unsafe {
        let data = chunk.byte_add(std::mem::offset_of!(acldumpChunk, dataBuf)).cast::<u8>();
        let chunk = &*chunk;
        assert_eq!(length as usize, size_of::<acldumpChunk>() + chunk.bufLen as usize);
        let name = CStr::from_ptr(chunk.fileName.as_ptr()).to_str().unwrap();
        let mut received = RECEIVED.lock();
        let file = received.entry(name.to_owned()).or_default();
        assert_eq!(chunk.offset as usize, file.len());
        file.extend(std::slice::from_raw_parts(data, chunk.bufLen as usize));
    }
    0
}

fn configure(folder: &TempDir, settings: &str) -> aclError {
    let file = folder.path().join("dump.json");
    let path = folder.path().join("out");
    let text = format!("{{\"dump\": {{\"dump_path\": {path:?}, {settings}}}}}");
    fs::write(&file, text).unwrap();
    let file = CString::new(file.to_str().unwrap()).unwrap();
    code!(aclmdlSetDump(file.as_ptr()))
}

/// The files of a folder, and below it, by their names without task, stream and time.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(short(path.to_str().unwrap()), fs::read(&path).unwrap())),
            }
        }
    }
    found
}

/// `Add.aclnnAdd.12.3.1700000000000000.input.0.npy` as `Add.aclnnAdd.input.0.npy`.
fn short(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap().to_str().unwrap();
    let parts: Vec<&str> = name.split('.').collect();
    let [operator, call, task, stream, time, rest @ ..] = parts.as_slice() else { panic!("{name}") };
    assert!([task, stream, time].iter().all(|part| part.parse::<u64>().is_ok()), "{name}");
    assert_eq!(time.len(), 16, "microseconds since 1970");
    [&[*operator, *call], rest].concat().join(".")
}

/// The elements of a file as NumPy writes it, after its header: of version 1.0, in two blocks of 64 bytes.
fn elements(file: &[u8], name: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{name}', 'fortran_order': False, 'shape': ({shape}), }}");
    let mut header = b"\x93NUMPY\x01\x00v\x00".to_vec();
    header.extend(text.bytes());
    header.resize(127, b' ');
    header.push(b'\n');
    assert_eq!(String::from_utf8_lossy(&file[..128]), String::from_utf8_lossy(&header));
    file[128..].to_vec()
}

fn begin() -> (MutexGuard<'static, ()>, TestDevice, TempDir) {
    let turn = TURN.lock();
    let device = TestDevice::take();
    ok!(aclmdlInitDump());
    (turn, device, tempfile::tempdir().unwrap())
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn operands_and_results_go_to_files() {
    let (_turn, device, folder) = begin();
    let out_folder = folder.path().join("out");
    assert_eq!(configure(&folder, r#""dump_op_switch": "on", "dump_list": [{}]"#), ACL_SUCCESS);
    let a = Tensor::new(ACL_FLOAT, &[2], &[1., 2.]);
    // A view with a hole, of a type that NumPy lacks.
    let b = Tensor::view(ACL_BF16, &[9., 3., 9., 5.], &[2], Some(&[2]), 1);
    let out = Tensor::new(ACL_FLOAT, &[2], &[0.; 2]);
    assert_eq!(add(&a, &b, scalar(2.), &out), [7., 12.]);
    // Results only, unless the mode says more.
    let found = files(&out_folder);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["Add.aclnnAdd.output.0.npy"]);
    assert_eq!(elements(&found["Add.aclnnAdd.output.0.npy"], "<f4", "2,"), floats(&[7., 12.]));
    // The folders name the time and the device.
    let time = fs::read_dir(&out_folder).unwrap().next().unwrap().unwrap().path();
    assert!(time.file_name().unwrap().to_str().unwrap().starts_with("20"), "{}", time.display());
    assert!(time.join(device.0.to_string()).is_dir());

    fs::remove_dir_all(&out_folder).unwrap();
    assert_eq!(configure(&folder, r#""dump_op_switch": "on", "dump_mode": "all""#), ACL_SUCCESS);
    assert_eq!(mul(&a, &b, &out), [3., 10.]);
    let found = files(&out_folder);
    assert_eq!(elements(&found["Mul.aclnnMul.input.0.npy"], "<f4", "2,"), floats(&[1., 2.]));
    assert_eq!(elements(&found["Mul.aclnnMul.input.1.npy"], "<f4", "2,"), floats(&[3., 5.]));
    assert_eq!(elements(&found["Mul.aclnnMul.output.0.npy"], "<f4", "2,"), floats(&[3., 10.]));
    assert_eq!(found.len(), 3);

    // Operators are dumped if the switch is on.
    fs::remove_dir_all(&out_folder).unwrap();
    assert_eq!(configure(&folder, r#""dump_list": []"#), ACL_SUCCESS);
    mul(&a, &b, &out);
    assert!(files(&out_folder).is_empty());
    ok!(aclmdlFinalizeDump());
    mul(&a, &b, &out);
    assert!(files(&out_folder).is_empty());
}

#[test]
fn a_callback_gets_the_files_instead() {
    let (_turn, _device, folder) = begin();
    let take = || std::mem::take(&mut *RECEIVED.lock());
    take();
    // Without a configuration it gets everything.
    ok!(acldumpRegCallback(Some(receive), 0));
    let a = Tensor::new(ACL_INT32, &[1, 2], &[1., 2.]);
    let out = Tensor::new(ACL_INT32, &[1, 2], &[0.; 2]);
    add(&a, &a, int_scalar(1), &out);
    let found: BTreeMap<_, _> = take().into_iter().map(|(path, file)| (short(&path), file)).collect();
    assert_eq!(found.len(), 3);
    let bytes = |values: [i32; 2]| values.map(i32::to_le_bytes).concat();
    assert_eq!(elements(&found["Add.aclnnAdd.input.1.npy"], "<i4", "1,2,"), bytes([1, 2]));
    assert_eq!(elements(&found["Add.aclnnAdd.output.0.npy"], "<i4", "1,2,"), bytes([2, 4]));
    // A file that is larger than a piece, which would have gone to a folder.
    assert_eq!(configure(&folder, r#""dump_op_switch": "on", "dump_mode": "input""#), ACL_SUCCESS);
    let count = 300_000;
    let large = Tensor::new(ACL_FLOAT, &[count], &vec![1.5; count as usize]);
    let sum = Tensor::new(ACL_FLOAT, &[count], &vec![0.; count as usize]);
    add(&large, &large, scalar(1.), &sum);
    let found = take();
    assert_eq!(found.len(), 2);
    for (path, file) in found {
        assert!(Path::new(&path).starts_with(folder.path().join("out")), "{path}");
        assert_eq!(elements(&file, "<f4", "300000,"), floats(&vec![1.5; count as usize]));
    }
    assert!(files(&folder.path().join("out")).is_empty());
    code!(acldumpUnregCallback());
    add(&a, &a, int_scalar(1), &out);
    assert!(take().is_empty());
    ok!(aclmdlFinalizeDump());
}

#[test]
fn tensors_are_dumped_by_name() {
    let (_turn, _device, folder) = begin();
    let stream = stream();
    let a = Tensor::new(ACL_FLOAT16, &[2], &[0.5, 2.]);
    let out = Tensor::new(ACL_FLOAT, &[1], &[4.]);
    let mut tensors = [a.handle, out.handle];
    let mut dump = || {
        let (operator, name) = (c"Mine".as_ptr(), c"mine_1".as_ptr());
        assert_eq!(code!(aclDumpOpTensors(operator, name, tensors.as_mut_ptr(), 1, 1, stream)), 0);
        ok!(aclrtSynchronizeStream(stream));
        files(&folder.path().join("out"))
    };
    assert!(dump().is_empty(), "nothing is configured");
    assert_eq!(configure(&folder, r#""dump_op_switch": "on", "dump_mode": "all""#), ACL_SUCCESS);
    let found = dump();
    // 0.5 and 2 in fp16.
    assert_eq!(elements(&found["Mine.mine_1.input.0.npy"], "<f2", "2,"), [0x00, 0x38, 0x00, 0x40]);
    assert_eq!(elements(&found["Mine.mine_1.output.0.npy"], "<f4", "1,"), floats(&[4.]));
    ok!(aclmdlFinalizeDump());
}

#[test]
fn overflows_are_dumped_with_their_operands() {
    let (_turn, _device, folder) = begin();
    assert_eq!(configure(&folder, r#""dump_debug": "on""#), ACL_SUCCESS);
    let a = Tensor::new(ACL_FLOAT16, &[1], &[60_000.]);
    let b = Tensor::new(ACL_FLOAT16, &[1], &[1.]);
    let out = Tensor::new(ACL_FLOAT16, &[1], &[0.]);
    add(&b, &b, scalar(1.), &out);
    assert!(files(&folder.path().join("out")).is_empty());
    add(&a, &a, scalar(1.), &out);
    let found = files(&folder.path().join("out"));
    assert_eq!(found.len(), 3);
    // Infinity.
    assert_eq!(elements(&found["Add.aclnnAdd.output.0.npy"], "<f2", "1,"), [0x00, 0x7c]);
    ok!(aclmdlFinalizeDump());
}

#[test]
fn each_shape_of_an_operator_is_described_once() {
    let _turn = TURN.lock();
    let _device = TestDevice::take();
    let folder = tempfile::tempdir().unwrap();
    let path = CString::new(folder.path().to_str().unwrap()).unwrap();
    let kind = ACL_OP_DUMP_OP_AICORE_ARGS;
    let small = Tensor::new(ACL_FLOAT, &[2], &[0.; 2]);
    let large = Tensor::new(ACL_FLOAT, &[2, 2], &[0.; 4]);
    ok!(aclopStartDumpArgs(kind, path.as_ptr()));
    add(&small, &small, scalar(1.5), &small);
    add(&small, &small, scalar(1.5), &small);
    add(&large, &small, scalar(1.5), &large);
    matmul(&large, &large, &large, 1);
    ok!(aclopStopDumpArgs(kind));
    mul(&small, &small, &small);
    let mut found: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let described: Vec<String> =
        found.iter().map(|path| read(path).split_whitespace().collect::<String>()).collect();
    let tensor = |shape: &str| format!(r#"{{"data_type":"FLOAT","format":"ND","shape":[{shape}]}}"#);
    let call = |operator: &str, attribute: &str, inputs: [&str; 2], out: &str| {
        format!(
            r#"{{"attributes":{{{attribute}}},"inputs":[{},{}],"op_type":"{operator}","outputs":[{}]}}"#,
            tensor(inputs[0]),
            tensor(inputs[1]),
            tensor(out)
        )
    };
    let mut expected = [
        call("Add", r#""alpha":1.5"#, ["2", "2"], "2"),
        call("Add", r#""alpha":1.5"#, ["2,2", "2"], "2,2"),
        call("MatMul", r#""cubeMathType":1"#, ["2,2", "2,2"], "2,2"),
    ];
    expected.sort();
    let mut described = described;
    described.sort();
    assert_eq!(described, expected);
}
