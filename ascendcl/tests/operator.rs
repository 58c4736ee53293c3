//! What operators are called with. The raw handles are looked at through the C interface, as an operator would.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ptr;
use std::sync::LazyLock;

use ascendcl::sys::{self, Library};
use ascendcl::{DataType, Device, Error, Format, OpTensor, Operators, Stream, TensorDesc, TensorView};
use common::device;
use half::{bf16, f16};
use proptest::prelude::*;

fn stream_and_operators() -> (Stream, Operators) {
    static DEVICE: LazyLock<Device> = LazyLock::new(|| device(0));
    let device = &*DEVICE;
    (device.stream().unwrap(), Operators::new(device.runtime()).unwrap())
}

/// The library as a program sees it that declares operators itself.
fn library() -> Library {
    // SAFETY: the simulator's functions have the signatures of their names.
    unsafe { Library::from_resolver("sim", ascendcl_sim::resolve) }
}

/// View shape, strides and storage shape, as the library has them. The arrays leak: only C++ can free them.
fn shapes(tensor: &OpTensor<'_>) -> [Vec<i64>; 3] {
    type Getter<'l> = &'l dyn Fn(*const sys::aclTensor, *mut *mut i64, *mut u64) -> i32;
    let library = library();
    let ask = |getter: Getter<'_>| {
        let (mut array, mut count) = (ptr::null_mut(), 0);
        assert_eq!(getter(tensor.as_raw(), &mut array, &mut count), sys::ACL_SUCCESS);
        // SAFETY: the library handed so many numbers out.
        unsafe { std::slice::from_raw_parts(array, count as usize) }.to_vec()
    };
    [
        // SAFETY: a live tensor and valid out-pointers, here and below.
        ask(&|tensor, array, count| unsafe { library.aclGetViewShape(tensor, array, count) }.unwrap()),
        // SAFETY: as above.
        ask(&|tensor, array, count| unsafe { library.aclGetViewStrides(tensor, array, count) }.unwrap()),
        // SAFETY: as above.
        ask(&|tensor, array, count| unsafe { library.aclGetStorageShape(tensor, array, count) }.unwrap()),
    ]
}

/// Whether the library still knows a tensor.
fn is_alive(tensor: *const sys::aclTensor) -> bool {
    let mut offset = 0;
    // SAFETY: the simulator checks handles; a valid out-pointer.
    unsafe { library().aclGetViewOffset(tensor, &mut offset) }.unwrap() == sys::ACL_SUCCESS
}

#[test]
fn a_tensor_is_described_as_it_is_stored() {
    let (stream, operators) = stream_and_operators();
    let tensor = stream.tensor(TensorDesc::new(DataType::Bf16, Format::Nd, &[3, 5, 7]).unwrap()).unwrap();
    let operand = operators.tensor(&tensor).unwrap();
    assert_eq!(shapes(&operand), [vec![3, 5, 7], vec![35, 7, 1], vec![3, 5, 7]]);
    assert_eq!(operand.offset().unwrap(), 0);
    assert_eq!(operand.format().unwrap(), sys::ACL_FORMAT_ND);
    assert_eq!(operand.data_type().unwrap(), sys::ACL_BF16);
    assert_eq!(operand.address().unwrap(), tensor.buffer().as_device_ptr());
    assert_eq!(operand.tensor().desc(), tensor.desc());

    // FRACTAL_NZ of int8: fractals of 16 rows and 32 columns.
    let desc = TensorDesc::new(DataType::Int8, Format::FractalNz, &[2, 20, 40]).unwrap();
    let tensor = stream.tensor(desc).unwrap();
    let operand = operators.tensor(&tensor).unwrap();
    assert_eq!(shapes(&operand), [vec![2, 20, 40], vec![800, 40, 1], vec![2, 2, 32, 32]]);
    assert_eq!(operand.format().unwrap(), sys::ACL_FORMAT_FRACTAL_NZ);

    let tensor = stream.tensor(TensorDesc::new(DataType::Float32, Format::Nd, &[]).unwrap()).unwrap();
    assert_eq!(shapes(&operators.tensor(&tensor).unwrap()), [const { Vec::<i64>::new() }; 3]);
}

#[test]
fn a_view_must_be_within_its_tensor() {
    let (stream, operators) = stream_and_operators();
    let tensor = stream.tensor_from(&[0i32; 12], Format::Nd, &[3, 4]).unwrap();
    let view = TensorView { shape: &[2, 3], strides: &[1, 4], offset: 2 };
    let operand = operators.tensor_view(&tensor, view).unwrap();
    assert_eq!(shapes(&operand), [vec![2, 3], vec![1, 4], vec![3, 4]]);
    assert_eq!(operand.offset().unwrap(), 2);
    // The same number over and over.
    operators.tensor_view(&tensor, TensorView { shape: &[100], strides: &[0], offset: 11 }).unwrap();
    operators.tensor_view(&tensor, TensorView { shape: &[0, 9], strides: &[9, 1], offset: 12 }).unwrap();

    let wrong: [(&[usize], &[usize], usize); 6] = [
        (&[2, 3], &[1, 4], 3),
        (&[13], &[1], 0),
        (&[1], &[1], 12),
        (&[0], &[1], 13),
        (&[2], &[1, 1], 0),
        (&[3, usize::MAX], &[usize::MAX, 2], usize::MAX),
    ];
    for (shape, strides, offset) in wrong {
        let error = operators.tensor_view(&tensor, TensorView { shape, strides, offset }).unwrap_err();
        assert!(matches!(error, Error::Shape(_)), "{error}");
    }
    let nz = stream.tensor_from(&[0i8; 6], Format::FractalNz, &[2, 3]).unwrap();
    let view = TensorView { shape: &[1], strides: &[1], offset: 0 };
    assert!(matches!(operators.tensor_view(&nz, view), Err(Error::Shape(_))));
}

#[test]
fn a_tensor_may_go_on_with_other_memory() {
    let (stream, operators) = stream_and_operators();
    let tensors = [2, 2, 3].map(|len| stream.tensor_from(&vec![1f32; len], Format::Nd, &[len]).unwrap());
    let mut operand = operators.tensor(&tensors[0]).unwrap();
    let handle = operand.as_raw();
    operand.set_tensor(&tensors[1]).unwrap();
    assert_eq!(operand.as_raw(), handle);
    assert_eq!(operand.address().unwrap(), tensors[1].buffer().as_device_ptr());
    assert!(matches!(operand.set_tensor(&tensors[2]), Err(Error::Shape(_))));
    let elsewhere = device(1).stream().unwrap().tensor_from(&[1f32; 2], Format::Nd, &[2]).unwrap();
    assert!(matches!(operand.set_tensor(&elsewhere), Err(Error::Mismatch { .. })));
    assert_eq!(operand.address().unwrap(), tensors[1].buffer().as_device_ptr());
}

#[test]
fn objects_end_when_they_are_dropped() {
    let (stream, operators) = stream_and_operators();
    let tensor = stream.tensor_from(&[1u8], Format::Nd, &[1]).unwrap();
    let operand = operators.tensor(&tensor).unwrap();
    let raw = operand.as_raw();
    assert!(is_alive(raw));
    drop(operand);
    assert!(!is_alive(raw));

    // The members of a list end with the list, not before.
    let members = vec![operators.tensor(&tensor).unwrap(), operators.tensor(&tensor).unwrap()];
    let raws: Vec<_> = members.iter().map(OpTensor::as_raw).collect();
    let list = operators.tensor_list(members).unwrap();
    assert_eq!(list.len().unwrap(), 2);
    assert!(!list.is_empty().unwrap());
    assert!(raws.iter().all(|raw| is_alive(*raw)));
    drop(list);
    assert!(!raws.iter().any(|raw| is_alive(*raw)));
    assert!(operators.tensor_list(Vec::new()).unwrap().is_empty().unwrap());
}

#[test]
fn scalars_of_all_types() {
    let (_stream, operators) = stream_and_operators();
    let scalars = vec![
        operators.scalar(1.5f32).unwrap(),
        operators.scalar(f16::ONE).unwrap(),
        operators.scalar(bf16::ONE).unwrap(),
        operators.scalar(-2.5f64).unwrap(),
        operators.scalar(i8::MIN).unwrap(),
        operators.scalar(i64::MAX).unwrap(),
        operators.scalar(u16::MAX).unwrap(),
    ];
    assert_eq!(scalars[2].dtype(), DataType::Bf16);
    let list = operators.scalar_list(scalars).unwrap();
    assert_eq!(list.len().unwrap(), 7);
    assert!(!list.as_raw().is_null());
}

#[test]
fn arrays_know_their_size() {
    let (_stream, operators) = stream_and_operators();
    assert_eq!(operators.float_array(&[0.5, 1.5]).unwrap().len().unwrap(), 2);
    assert_eq!(operators.bool_array(&[true, false, true]).unwrap().len().unwrap(), 3);
    assert!(operators.int_array(&[]).unwrap().is_empty().unwrap());
    let array = operators.int_array(&[1, 2, 3, 4]).unwrap();
    let mut size = 0;
    // SAFETY: a live array and a valid out-pointer.
    unsafe { library().aclGetIntArraySize(array.as_raw(), &mut size) }.unwrap();
    assert_eq!((size, array.len().unwrap()), (4, 4));
}

#[test]
fn host_functions_must_not_make_operands() {
    let (stream, operators) = stream_and_operators();
    let (sender, receiver) = std::sync::mpsc::channel();
    let runtime = operators.runtime().clone();
    stream
        .host_function(move || {
            let results = [Operators::new(&runtime).map(drop), operators.scalar(1u8).map(drop)];
            sender.send(results).unwrap();
        })
        .unwrap();
    stream.synchronize().unwrap();
    for result in receiver.recv().unwrap() {
        assert!(matches!(result, Err(Error::InHostFunction)), "{result:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A view is taken exactly when every one of its elements is in the storage.
    #[test]
    fn views_are_checked_element_by_element(
        dims in prop::collection::vec((0usize..4, 0usize..6), 0..4),
        offset in 0usize..14,
    ) {
        let (stream, operators) = stream_and_operators();
        let tensor = stream.tensor_from(&[0u8; 12], Format::Nd, &[12]).unwrap();
        let (shape, strides): (Vec<_>, Vec<_>) = dims.iter().copied().unzip();
        let mut elements = vec![offset];
        for (dim, stride) in &dims {
            elements = elements.iter().flat_map(|start| (0..*dim).map(move |i| start + i * stride)).collect();
        }
        let within = elements.iter().all(|element| *element < 12) && offset <= 12;
        let view = TensorView { shape: &shape, strides: &strides, offset };
        prop_assert_eq!(operators.tensor_view(&tensor, view).is_ok(), within);
    }
}
