//! Executors, of operators that the test plays itself on the simulated device.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ascendcl::{Error, Format, OperandIndex, Operators, Stream, Tensor};
use ascendcl_sim::executor::{self, Operand};
use common::device;

fn tensor(stream: &Stream, value: i32) -> Tensor {
    stream.tensor_from(&[value; 6], Format::Nd, &[2, 3]).unwrap()
}

fn address(tensor: &Tensor) -> usize {
    tensor.buffer().as_device_ptr() as usize
}

#[test]
fn an_executor_runs_again_with_other_memory() {
    let stream = device(0).stream().unwrap();
    let operators = Operators::new(stream.device().runtime()).unwrap();
    let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(|value| tensor(&stream, value));
    let (input, output) = (operators.tensor(&a).unwrap(), operators.tensor(&c).unwrap());
    let members = vec![operators.tensor(&a).unwrap(), operators.tensor(&b).unwrap()];
    let list = operators.tensor_list(members).unwrap();
    let operands = [Operand::Tensor(input.as_raw()), Operand::List(list.as_raw())];
    let raw = executor::make(&operands, &[Operand::Tensor(output.as_raw())]).unwrap();
    // SAFETY: just made, and left to the executor.
    let mut executor = unsafe { operators.executor(raw) }.unwrap();
    let run = || executor::run(raw).unwrap();
    let expected = vec![vec![address(&a)], vec![address(&a), address(&b)], vec![address(&c)]];
    assert_eq!((run(), run()), (expected.clone(), expected));

    // SAFETY: the operands are those that the executor was made with, at these indices.
    unsafe {
        executor.set_memory(OperandIndex::Input(0), &input, &b).unwrap();
        executor.set_memory(OperandIndex::Output(0), &output, &d).unwrap();
        executor.set_member_memory(OperandIndex::Input(1), &list, 1, &e).unwrap();
    }
    assert_eq!(run(), [vec![address(&b)], vec![address(&a), address(&e)], vec![address(&d)]]);
    // SAFETY: as above.
    unsafe {
        executor.set_memory(OperandIndex::Any(2), &output, &a).unwrap();
        executor.set_member_memory(OperandIndex::Any(1), &list, 0, &d).unwrap();
    }
    assert_eq!(run(), [vec![address(&b)], vec![address(&d), address(&e)], vec![address(&a)]]);

    let other = stream.tensor_from(&[0i32; 6], Format::Nd, &[6]).unwrap();
    // SAFETY: refused before anything is set, here and below, or by the library.
    let results = unsafe {
        [
            executor.set_memory(OperandIndex::Input(0), &input, &other),
            executor.set_memory(OperandIndex::Output(1), &output, &a),
            executor.set_memory(OperandIndex::Output(0), &input, &a),
            executor.set_member_memory(OperandIndex::Output(0), &list, 0, &a),
            executor.set_member_memory(OperandIndex::Input(1), &list, 2, &a),
        ]
    };
    assert!(matches!(results[0], Err(Error::Shape(_))), "{:?}", results[0]);
    assert!(results[1..].iter().all(|result| matches!(result, Err(Error::Acl(_)))), "{results:?}");
    drop(executor);
    assert_eq!(executor::run(raw), None, "it was destroyed");
    // SAFETY: null and a stale handle are refused by name.
    let results = unsafe { [operators.executor(std::ptr::null_mut()), operators.executor(raw)] };
    assert!(matches!(results[0], Err(Error::Shape(_))) && matches!(results[1], Err(Error::Acl(_))));
}

#[test]
fn a_tensor_says_how_it_lies() {
    let stream = device(1).stream().unwrap();
    let operators = Operators::new(stream.device().runtime()).unwrap();
    let matrix = stream.tensor_from(&[0i8; 6], Format::FractalNz, &[2, 3]).unwrap();
    let mut operand = operators.tensor(&matrix).unwrap();
    assert_eq!(operand.view_shape().unwrap(), [2, 3]);
    assert_eq!(operand.view_strides().unwrap(), [3, 1]);
    assert_eq!(operand.storage_shape().unwrap(), [1, 16, 32]);
    let scalar = stream.tensor_from(&[1.0f64], Format::Nd, &[]).unwrap();
    operand.describe(&scalar, None).unwrap();
    assert!(operand.view_shape().unwrap().is_empty());
    assert_eq!(operand.address().unwrap() as usize, address(&scalar));
    assert_eq!(operand.data_type().unwrap(), ascendcl::sys::ACL_DOUBLE);
    let view = ascendcl::TensorView { shape: &[2], strides: &[1], offset: 0 };
    assert!(matches!(operand.describe(&scalar, Some(view)), Err(Error::Shape(_))));
    assert_eq!(operand.address().unwrap() as usize, address(&scalar));
}

#[test]
fn operands_are_dumped_after_the_work_that_writes_them() {
    let device = device(2);
    let stream = device.stream().unwrap();
    let operators = Operators::new(device.runtime()).unwrap();
    let (a, b) = (tensor(&stream, 1), tensor(&stream, 2));
    let (input, output) = (operators.tensor(&a).unwrap(), operators.tensor(&b).unwrap());
    operators.dump(["Add", "add_0"], &[&input], &[&output], &stream).unwrap();
    let result = operators.dump(["A\0d", "add_0"], &[&input], &[], &stream);
    assert!(matches!(result, Err(Error::Shape(_))), "{result:?}");
    let elsewhere = common::device(3).stream().unwrap();
    let result = operators.dump(["Add", "add_0"], &[&input], &[], &elsewhere);
    assert!(matches!(result, Err(Error::Mismatch { .. })), "{result:?}");
    let result = stream.capture(|stream| operators.dump(["Add", "a"], &[&input], &[], stream));
    assert!(matches!(result, Err(Error::Capturing { .. })), "{result:?}");
}
