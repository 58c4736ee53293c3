//! What is refused, and what the error says.

mod common;

use ascendcl::DataType;
use atb::param::*;
use atb::{AtbError, Error, LaunchMode, Library, Operation, TensorDesc, VariantPack, View};
use common::Rig;

fn concat(rig: &Rig) -> Operation<Concat> {
    rig.operation(Concat { concat_dim: 0 })
}

#[test]
fn codes_have_names_and_say_which_call_of_which_operation() {
    let rig = Rig::new();
    let concat = concat(&rig);
    let half = |shape: &[usize]| TensorDesc::nd(DataType::Float16, shape);
    for (inputs, name) in [
        (vec![half(&[1])], "ERROR_INVALID_IN_TENSOR_NUM"),
        (vec![half(&[1]), TensorDesc::nd(DataType::Int8, &[1])], "ERROR_INVALID_TENSOR_INI_MATCH"),
        (vec![half(&[1, 2]), half(&[1, 3])], "ERROR_INVALID_TENSOR_DIM"),
    ] {
        let error = concat.infer_shape(&inputs).unwrap_err();
        assert_eq!(error.name(), Some(name));
        let text = error.to_string();
        assert!(text.starts_with("InferShape of ConcatOperation failed: "), "{text}");
        assert!(text.contains(&format!(" ({name})")), "{text}");
        let Error::Atb(AtbError { operation: Some(operation), message, .. }) = error else {
            panic!("{text}")
        };
        assert_eq!(operation, "ConcatOperation");
        assert!(!message.is_empty());
    }
    let error = Operation::new(&rig.runtime, Elewise::default()).unwrap_err();
    assert_eq!(error.name(), Some("ERROR_INVALID_PARAM"));
    assert!(
        error.to_string().starts_with("CreateOperation of Elewise failed: 1 (ERROR_INVALID_PARAM)"),
        "{error}"
    );
}

#[test]
fn a_code_of_ascendcl_is_told_apart() {
    let error = atb::AclError {
        call: "Execute",
        operation: Some("ConcatOperation".into()),
        code: 207001,
        message: String::new(),
    };
    assert_eq!(error.name(), Some("ACL_ERROR_RT_MEMORY_ALLOCATION"));
    let text = "Execute of ConcatOperation failed: 207001 (ACL_ERROR_RT_MEMORY_ALLOCATION)";
    assert_eq!(Error::from(error).to_string(), text);
}

#[test]
fn outputs_must_have_room() {
    let mut rig = Rig::new();
    let mut concat = concat(&rig);
    let x = rig.half(&[1.0, 2.0], &[2]);
    let mut y = rig.output(&[3]);
    let pack = VariantPack::new().input(&x).input(&x).output(&mut y);
    let error = concat.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap_err();
    assert_eq!(error.to_string(), "output 0 must be Float16 Nd [4]: 8 bytes, got 6 bytes");
}

#[test]
fn packs_say_what_is_wrong_with_them() {
    let mut rig = Rig::new();
    let mut concat = concat(&rig);
    let x = rig.half(&[1.0, 2.0], &[2]);
    let lengths = rig.tensor(&[1i32, 2], &[2]);
    let mut y = rig.output(&[4]);
    let full = (0..257).fold(VariantPack::new(), |pack, _| pack.input(&x));
    for (pack, text) in [
        (full, "inputs must be at most 256, got 257"),
        (
            VariantPack::new().input(&x).input_host(&lengths, &[1]),
            "input 1 must be of 1 elements of type Int32 or Uint32, as its host values, got Int32 Nd [2]",
        ),
        (
            VariantPack::new().input(&x).input(&x).output_updated(1),
            "output 0 must be an input that was given by `updated`, once, got input 1",
        ),
        (
            VariantPack::new().input(&x).updated(&mut y).output_updated(1).output_updated(1),
            "output 1 must be an input that was given by `updated`, once, got input 1",
        ),
    ] {
        let error = concat.setup(&mut rig.context, pack).map(drop).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn what_is_written_in_place_is_given_as_such() {
    let mut rig = Rig::new();
    let param = ReshapeAndCache { kv_cache_cfg: KvCacheCfg::KCacheVBypass, ..ReshapeAndCache::default() };
    let mut write = rig.operation(param);
    let (key, slots) = (rig.half(&[1.0; 16], &[1, 1, 16]), rig.tensor(&[0i32], &[1]));
    let (cache, mut other) = (rig.half(&[0.0; 32], &[2, 1, 1, 16]), rig.half(&[0.0; 32], &[2, 1, 1, 16]));
    let pack = VariantPack::new().input(&key).input(&cache).input(&slots).output(&mut other);
    let error = write.setup(&mut rig.context, pack).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "output 0 of ReshapeAndCacheOperation must be `output_updated(1)`: the operation writes that input in place, \
         got another tensor"
    );
}

#[test]
fn objects_of_other_devices_are_refused() {
    let mut rig = Rig::new();
    // An explicit context counts as another device.
    let other = rig.stream.device().create_context().unwrap();
    let elsewhere = other.device().stream().unwrap();
    let x = rig.half(&[1.0], &[1]);
    let far = elsewhere.tensor_from(&common::halves(&[1.0]), ascendcl::Format::Nd, &[1]).unwrap();
    let mut y = rig.output(&[2]);
    for (second, stream, what) in [(&far, &rig.stream, "memory"), (&x, &elsewhere, "stream")] {
        let mut concat = concat(&rig);
        let pack = VariantPack::new().input(&x).input(second).output(&mut y);
        let mut prepared = concat.setup(&mut rig.context, pack).unwrap();
        let error = prepared.execute(stream, &mut ascendcl::Workspace::default()).unwrap_err();
        let Error::Device(ascendcl::Error::Mismatch { what: got, .. }) = error else { panic!("{error}") };
        assert_eq!(got, what);
    }
}

#[test]
fn tensors_that_are_left_out_are_no_tensor() {
    let mut rig = Rig::new();
    let mut concat = concat(&rig);
    let x = rig.half(&[1.0], &[1]);
    let mut y = rig.output(&[2]);
    let pack = VariantPack::new().input(&x).input_none().output(&mut y);
    assert_eq!(pack.input_descs()[1], TensorDesc::none());
    let error = concat.setup(&mut rig.context, pack).map(drop).unwrap_err();
    assert!(matches!(error, Error::Atb(_)), "{error}");
    // Nor is one without elements.
    let empty = View::of(&x).slice(..0).unwrap();
    assert_eq!(empty.desc().checked_bytes(), Some(0));
    let pack = VariantPack::new().input(&x).input(empty).output(&mut y);
    assert!(concat.setup(&mut rig.context, pack).is_err());
}

#[test]
fn a_context_without_graph_launches_says_so_or_takes_them() {
    let mut rig = Rig::new();
    // SAFETY: nothing is executed in the context.
    let set = unsafe { rig.context.set_launch_mode(LaunchMode::Graph) };
    assert!(set.is_ok() || set.unwrap_err().name() == Some("ATB_SHIM_UNSUPPORTED"));
    assert_eq!(rig.context.library().name(), Library::of(&rig.runtime).unwrap().name());
}

/// On a machine without ATB. With one, there is nothing to see.
#[test]
fn without_atb_the_error_says_what_was_tried() {
    let Err(error) = atb::sys::Shim::open() else { return };
    let text = Error::from(error).to_string();
    assert!(text.starts_with("no shim over ATB could be loaded; tried:\n"), "{text}");
    assert!(text.contains("install the CANN toolkit"), "{text}");
}
