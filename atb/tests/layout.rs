//! Descriptions and views beside formulas of their own.

mod common;

use ascendcl::{DataType, Format};
use atb::{Error, TensorDesc, View, ViewMut};
use common::Rig;
use proptest::prelude::*;

proptest! {
    /// FRACTAL_NZ: 32 bytes wide blocks of columns, rows padded to 16, the batch in front.
    #[test]
    fn matrices_in_fractals_have_atbs_storage_shape(
        batch in proptest::option::of(1usize..4),
        rows in 1usize..70,
        columns in 1usize..100,
        dtype in prop_oneof![
            Just(DataType::Int8),
            Just(DataType::Float16),
            Just(DataType::Bf16),
            Just(DataType::Int32),
        ],
    ) {
        let logical: Vec<usize> = batch.into_iter().chain([rows, columns]).collect();
        let desc = ascendcl::TensorDesc::new(dtype, Format::FractalNz, &logical).unwrap();
        let c0 = 32 / dtype.size();
        let expected = [batch.unwrap_or(1), columns.div_ceil(c0), rows.div_ceil(16) * 16, c0];
        let described = TensorDesc::from(&desc);
        prop_assert_eq!(&described.shape, &expected);
        prop_assert_eq!(described.format, Format::FractalNz);
        prop_assert_eq!(described.checked_bytes(), Some(desc.storage_bytes()));
    }
}

#[test]
fn views_are_within_their_memory() {
    let rig = Rig::new();
    let mut tensor = rig.half(&[0.0; 24], &[2, 3, 4]);
    assert_eq!(View::of(&tensor).with_shape(&[4, 6]).unwrap().desc().shape, [4, 6]);
    // Fewer bytes are no mistake; more are.
    assert!(View::of(&tensor).with_shape(&[5]).is_ok());
    let error = View::of(&tensor).with_shape(&[25]).unwrap_err();
    assert_eq!(error.to_string(), "view must be of at most 48 bytes, got Float16 Nd [25]: 50 bytes");
    assert!(View::of(&tensor).with_dtype(DataType::Float32).is_err());
    assert!(View::of(&tensor).with_shape(&[12]).unwrap().with_dtype(DataType::Float32).is_ok());
    assert!(matches!(ViewMut::of(&mut tensor).with_shape(&[usize::MAX, 2]), Err(Error::Tensor(_))));
    assert!(matches!(View::of(&tensor).with_shape(&[1; 9]), Err(Error::Tensor(_))));
    assert!(matches!(View::of(&tensor).with_format(Format::FractalNz), Err(Error::Tensor(_))));

    // A part of the first dimension has only its own bytes.
    let part = View::of(&tensor).slice(1..).unwrap();
    assert_eq!(part.desc().shape, [1, 3, 4]);
    assert!(part.with_shape(&[13]).is_err());
    for range in [0..3, 3..3] {
        assert!(matches!(View::of(&tensor).slice(range), Err(Error::Tensor(_))));
    }
    let buffer = rig.stream.alloc::<f32>(8).unwrap();
    let part = View::of(buffer.slice(2..6).unwrap());
    assert_eq!(*part.desc(), TensorDesc::nd(DataType::Float32, &[4]));
    assert!(part.with_shape(&[5]).is_err());
}

#[test]
fn a_part_is_where_it_should_be() {
    let mut rig = Rig::new();
    let x = rig.half(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2]);
    let mut y = rig.half(&[0.0; 8], &[4, 2]);
    let mut concat = rig.operation(atb::param::Concat { concat_dim: 0 });
    let pack = atb::VariantPack::new()
        .input(View::of(&x).slice(2..).unwrap())
        .input(View::of(&x).slice(..1).unwrap())
        .output(ViewMut::of(&mut y).slice(1..=2).unwrap());
    concat.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.floats(&y), [0.0, 0.0, 5.0, 6.0, 1.0, 2.0, 0.0, 0.0]);
}
