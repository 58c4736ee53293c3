//! Each operation once, from its parameter to its result, which is computed by hand.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use ascendcl::{DataType, Format};
use atb::param::*;
use atb::{Operation, SelfContained, TensorDesc, VariantPack, View, ViewMut};
use common::{Rig, halves};
use half::f16;

/// Runs an operation of Float16 tensors.
fn run<P: OpParam + SelfContained>(
    rig: &mut Rig,
    param: P,
    inputs: &[(&[f32], &[usize])],
    outputs: &[&[usize]],
) -> Vec<Vec<f32>> {
    let mut operation = rig.operation(param);
    assert_eq!(operation.input_num().unwrap(), inputs.len());
    assert_eq!(operation.output_num().unwrap(), outputs.len());
    let inputs: Vec<_> = inputs.iter().map(|(values, shape)| rig.half(values, shape)).collect();
    let mut results: Vec<_> = outputs.iter().map(|shape| rig.output(shape)).collect();
    let descs: Vec<TensorDesc> = inputs.iter().map(|tensor| tensor.desc().into()).collect();
    let expected: Vec<_> = outputs.iter().map(|shape| TensorDesc::nd(DataType::Float16, shape)).collect();
    assert_eq!(operation.infer_shape(&descs).unwrap(), expected);
    let pack = inputs.iter().fold(VariantPack::new(), |pack, tensor| pack.input(tensor));
    let pack = results.iter_mut().fold(pack, |pack, tensor| pack.output(tensor));
    operation.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    results.iter().map(|tensor| rig.floats(tensor)).collect()
}

#[test]
fn activation() {
    let mut rig = Rig::new();
    // x * sigmoid(x) of the first half times the second; at 0 the sigmoid is 1/2, and 100 is far beyond.
    let param = Activation::of(ActivationType::SwigluForward);
    let x: Vec<f32> = [[0.0; 32], [7.0; 32], [100.0; 32], [0.25; 32]].concat();
    let result = run(&mut rig, param, &[(&x, &[2, 64])], &[&[2, 32]]);
    assert_eq!(result, [[[0.0; 32], [25.0; 32]].concat()]);
}

#[test]
fn concat() {
    let mut rig = Rig::new();
    let inputs: [(&[f32], &[usize]); 2] = [(&[1.0, 2.0, 3.0, 4.0], &[2, 2]), (&[5.0, 6.0], &[2, 1])];
    let result = run(&mut rig, Concat { concat_dim: -1 }, &inputs, &[&[2, 3]]);
    assert_eq!(result, [[1.0, 2.0, 5.0, 3.0, 4.0, 6.0]]);
}

#[test]
fn elewise() {
    let mut rig = Rig::new();
    let inputs: [(&[f32], &[usize]); 2] = [(&[1.0, 2.0, 3.0], &[3]), (&[0.5, -2.0, 8.0], &[3])];
    assert_eq!(run(&mut rig, Elewise::of(ElewiseType::Mul), &inputs, &[&[3]]), [[0.5, -4.0, 24.0]]);
    let muls = Elewise { var_attr: -3.0, ..Elewise::of(ElewiseType::Muls) };
    assert_eq!(run(&mut rig, muls, &inputs[..1], &[&[3]]), [[-3.0, -6.0, -9.0]]);

    // To another type.
    let mut cast =
        rig.operation(Elewise { out_tensor_type: Some(DataType::Float32), ..Elewise::of(ElewiseType::Cast) });
    let (x, mut y) = (rig.half(&[0.1], &[1]), rig.tensor(&[0f32], &[1]));
    let pack = VariantPack::new().input(&x).output(&mut y);
    cast.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.values::<f32>(&y), [f16::from_f32(0.1).to_f32()]);

    // A row's scale is its largest magnitude over 127.
    let mut quant = rig.operation(Elewise::of(ElewiseType::DynamicQuant));
    let x = rig.half(&[254.0, -127.0, 2.0, 0.0], &[1, 4]);
    let (mut y, mut scale) = (rig.tensor(&[0i8; 4], &[1, 4]), rig.tensor(&[0f32], &[1]));
    let pack = VariantPack::new().input(&x).output(&mut y).output(&mut scale);
    quant.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.values::<f32>(&scale), [2.0]);
    let values = rig.values::<i8>(&y);
    assert!(values == [127, -64, 1, 0] || values == [127, -63, 1, 0], "{values:?}");
}

#[test]
fn gather() {
    let mut rig = Rig::new();
    let mut gather = rig.operation(Gather { axis: 0, batch_dims: 0 });
    let (x, rows) = (rig.half(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2]), rig.tensor(&[2i32, 0, 2], &[3]));
    let mut y = rig.output(&[3, 2]);
    let pack = VariantPack::new().input(&x).input(&rows).output(&mut y);
    // SAFETY: the indices are rows of `x`.
    unsafe { gather.run_unchecked(&mut rig.context, &rig.stream, pack, &mut rig.workspace) }.unwrap();
    assert_eq!(rig.floats(&y), [5.0, 6.0, 1.0, 2.0, 5.0, 6.0]);
}

#[test]
fn linear_of_int8_with_bias_and_scale() {
    let mut rig = Rig::new();
    let mut linear = rig.operation(Linear { out_data_type: Some(DataType::Bf16), ..Linear::default() });
    assert_eq!(linear.input_num().unwrap(), 4);
    // Rows of 32: x is 1 everywhere, the weight's rows are 1 and -2.
    let x = rig.tensor(&[1i8; 32], &[1, 32]);
    let weight = rig.tensor(&[[1i8; 32], [-2; 32]].concat(), &[2, 32]);
    let (bias, scale) = (rig.tensor(&[8i32, 0], &[2]), rig.tensor(&[0.5f32, 0.25], &[2]));
    let mut y = rig.tensor(&[half::bf16::ZERO; 2], &[1, 2]);
    let pack = VariantPack::new()
        .input(&x)
        .input(&weight)
        .input(View::of(&bias).with_shape(&[1, 2]).unwrap())
        .input(View::of(&scale).with_shape(&[1, 2]).unwrap())
        .output(&mut y);
    linear.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    let y: Vec<f32> = rig.values::<half::bf16>(&y).into_iter().map(|value| value.to_f32()).collect();
    assert_eq!(y, [(32.0 + 8.0) * 0.5, -64.0 * 0.25]);
}

#[test]
fn einsum() {
    let mut rig = Rig::new();
    // For each head h: [tokens, h, k] x [h, k, n]; with k = 1 it is an outer product.
    let param =
        Linear { transpose_b: false, has_bias: false, matmul_type: MatmulType::EinSum, ..Linear::default() };
    let inputs: [(&[f32], &[usize]); 2] =
        [(&[1.0, 2.0, 3.0, 4.0], &[2, 2, 1]), (&[1.0, 10.0, 100.0, -1.0], &[2, 1, 2])];
    let result = run(&mut rig, param, &inputs, &[&[2, 2, 2]]);
    assert_eq!(result, [[1.0, 10.0, 200.0, -2.0, 3.0, 30.0, 400.0, -4.0]]);
}

#[test]
fn reshape_and_cache() {
    let mut rig = Rig::new();
    let param = ReshapeAndCache { kv_cache_cfg: KvCacheCfg::KCacheVBypass, ..ReshapeAndCache::default() };
    let mut write = rig.operation(param);
    // Three tokens of one head of 16; the second has no place.
    let key: Vec<f32> = [[1.0; 16], [2.0; 16], [3.0; 16]].concat();
    let (key, slots) = (rig.half(&key, &[3, 1, 16]), rig.tensor(&[5i32, -1, 0], &[3]));
    let mut cache = rig.half(&[0.0; 2 * 4 * 16], &[2, 4, 1, 16]);
    let pack = VariantPack::new().input(&key).updated(&mut cache).input(&slots).output_updated(1);
    // SAFETY: the slots are below 8, or negative.
    unsafe { write.run_unchecked(&mut rig.context, &rig.stream, pack, &mut rig.workspace) }.unwrap();
    let rows: Vec<f32> = rig.floats(&cache).chunks(16).map(|row| row.iter().sum::<f32>() / 16.0).collect();
    assert_eq!(rows, [3.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn rms_norm_with_quantisation() {
    let mut rig = Rig::new();
    let param = NormParam { quant_type: QuantType::Int8, epsilon: 1e-6, ..NormParam::default() };
    let mut norm = rig.operation(RmsNorm::norm(param));
    // A row of one magnitude has the root of its mean square as that magnitude.
    let x: Vec<f32> = (0..32).map(|index| if index % 2 == 0 { 3.0 } else { -3.0 }).collect();
    let (x, gamma, beta) =
        (rig.half(&x, &[1, 32]), rig.half(&[10.0; 32], &[32]), rig.half(&[1.0; 32], &[32]));
    let (scale, offset) = (rig.half(&[0.5], &[1]), rig.tensor(&[3i8], &[1]));
    let mut y = rig.tensor(&[0i8; 32], &[1, 32]);
    let pack =
        VariantPack::new().input(&x).input(&gamma).input(&beta).input(&scale).input(&offset).output(&mut y);
    norm.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    // (±10 + 1) / 0.5 + 3
    assert_eq!(rig.values::<i8>(&y), [25, -15].repeat(16));
}

#[test]
fn rope() {
    let mut rig = Rig::new();
    let mut rope = rig.operation(Rope { rotary_coeff: 2, ..Rope::default() });
    // A quarter turn takes the first half to the second, and the second, negated, to the first.
    let row: Vec<f32> = [[1.0; 8], [2.0; 8]].concat();
    let (q, k) = (rig.half(&row, &[1, 16]), rig.half(&row, &[1, 16]));
    let (cos, sin) = (rig.half(&[0.0; 16], &[1, 16]), rig.half(&[1.0; 16], &[1, 16]));
    let lengths = rig.tensor(&[1i32], &[1]);
    let (mut q_out, mut k_out) = (rig.output(&[1, 16]), rig.output(&[1, 16]));
    let pack = VariantPack::new().input(&q).input(&k).input(&cos).input(&sin).input(&lengths);
    let pack = pack.output(&mut q_out).output(&mut k_out);
    // SAFETY: there is one token, and the length is 1.
    unsafe { rope.run_unchecked(&mut rig.context, &rig.stream, pack, &mut rig.workspace) }.unwrap();
    let turned: Vec<f32> = [[-2.0; 8], [1.0; 8]].concat();
    assert_eq!(rig.floats(&q_out), turned);
    assert_eq!(rig.floats(&k_out), turned);
}

#[test]
fn rope_q_concat() {
    let mut rig = Rig::new();
    let q: Vec<f32> = [[1.0; 32], [2.0; 32]].concat();
    let inputs: [(&[f32], &[usize]); 4] =
        [(&q, &[1, 64]), (&[0.0; 64], &[1, 64]), (&[1.0; 64], &[1, 64]), (&[7.0; 512], &[1, 1, 512])];
    let result = run(&mut rig, RopeQConcat, &inputs, &[&[1, 1, 576]]);
    // The rotated part is the first.
    assert_eq!(result, [[&[-2.0; 32][..], &[1.0; 32], &[7.0; 512]].concat()]);
}

#[test]
fn slice() {
    let mut rig = Rig::new();
    let param = Slice { offsets: vec![0, 1], size: vec![-1, 2] };
    let inputs: [(&[f32], &[usize]); 1] = [(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[2, 4])];
    assert_eq!(run(&mut rig, param, &inputs, &[&[2, 2]]), [[2.0, 3.0, 6.0, 7.0]]);
    let error = Operation::new(&rig.runtime, Slice { offsets: vec![0], size: vec![] }).unwrap_err();
    assert_eq!(error.to_string(), "`size` of Slice must be of 1 numbers, as `offsets`, got 0");
}

#[test]
fn softmax() {
    let mut rig = Rig::new();
    let inputs: [(&[f32], &[usize]); 1] = [(&[3.0, 3.0, 3.0, 3.0, 60.0, 0.0, 0.0, 0.0], &[2, 4])];
    let result = run(&mut rig, Softmax { axes: vec![-1] }, &inputs, &[&[2, 4]]);
    assert_eq!(result, [[0.25, 0.25, 0.25, 0.25, 1.0, 0.0, 0.0, 0.0]]);
}

#[test]
fn split() {
    let mut rig = Rig::new();
    let param = Split { split_dim: 1, split_num: 3, split_sizes: vec![1, 2, 1] };
    let inputs: [(&[f32], &[usize]); 1] = [(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], &[2, 4])];
    let result = run(&mut rig, param, &inputs, &[&[2, 1], &[2, 2], &[2, 1]]);
    assert_eq!(result, [vec![1.0, 5.0], vec![2.0, 3.0, 6.0, 7.0], vec![4.0, 8.0]]);
}

#[test]
fn transdata_is_what_ascendcl_stores() {
    let mut rig = Rig::new();
    let (rows, columns) = (32, 48);
    let values = halves(&(0..rows * columns).map(|index| index as f32).collect::<Vec<_>>());
    let mut to_nz =
        rig.operation(Transdata { transdata_type: TransdataType::NdToFractalNz, ..Transdata::default() });
    let x = rig.tensor(&values, &[rows, columns]);
    let desc = ascendcl::TensorDesc::new(DataType::Float16, Format::FractalNz, &[rows, columns]).unwrap();
    assert_eq!(to_nz.infer_shape(&[x.desc().into()]).unwrap(), [TensorDesc::from(&desc)]);
    let mut y = rig.stream.tensor(desc).unwrap();
    let pack = VariantPack::new().input(&x).output(&mut y);
    to_nz.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    // `ascendcl` takes the fractals apart by a formula of its own.
    assert_eq!(rig.values::<f16>(&y), values);

    let out_crops = [rows as i64, columns as i64];
    let mut to_nd = rig.operation(Transdata { transdata_type: TransdataType::FractalNzToNd, out_crops });
    let mut z = rig.output(&[rows * columns]);
    let back = ViewMut::of(&mut z).with_shape(&[1, rows, columns]).unwrap();
    let pack = VariantPack::new().input(&y).output(back);
    to_nd.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
    assert_eq!(rig.values::<f16>(&z), values);
}

#[test]
fn transpose() {
    let mut rig = Rig::new();
    let inputs: [(&[f32], &[usize]); 1] = [(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])];
    let result = run(&mut rig, Transpose { perm: vec![1, 0] }, &inputs, &[&[3, 2]]);
    assert_eq!(result, [[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]]);
    for perm in [vec![0, 2], vec![0, 0], vec![-1, 0]] {
        let error = Operation::new(&rig.runtime, Transpose { perm }).unwrap_err();
        assert!(
            error.to_string().starts_with("`perm` of Transpose must be each of 0..2 once, got ["),
            "{error}"
        );
    }
}

#[test]
fn an_updated_parameter_is_that_of_the_next_set_up() {
    let mut rig = Rig::new();
    let mut operation = rig.operation(Concat { concat_dim: 0 });
    let (x, y) = (rig.half(&[1.0, 2.0], &[1, 2]), rig.half(&[3.0, 4.0], &[1, 2]));
    for (concat_dim, shape) in [(0, [2, 2]), (1, [1, 4])] {
        operation.update(Concat { concat_dim }).unwrap();
        assert_eq!(operation.param().concat_dim, concat_dim);
        let mut both = rig.output(&shape);
        let pack = VariantPack::new().input(&x).input(&y).output(&mut both);
        operation.run(&mut rig.context, &rig.stream, pack, &mut rig.workspace).unwrap();
        assert_eq!(rig.floats(&both), [1.0, 2.0, 3.0, 4.0]);
    }
}

/// Scores of a zero query are equal, so that attention is the mean of the values within the length.
#[test]
fn paged_attention() {
    let mut rig = Rig::new();
    let param = PagedAttention { head_num: 2, kv_head_num: 1, ..PagedAttention::default() };
    let mut attention = rig.operation(param);
    // Blocks of 16 tokens; the sequence has 17: all of block 2 and the first of block 0.
    let (blocks, size, width) = (3, 16, 16);
    let values: Vec<f32> = (0..blocks * size).flat_map(|token| [token as f32; 16]).collect();
    let query = rig.half(&[0.0; 32], &[1, 2, width]);
    let keys = rig.half(&[1.0; 3 * 16 * 16], &[blocks, size, 1, width]);
    let values = rig.half(&values, &[blocks, size, 1, width]);
    let (tables, lengths) = (rig.tensor(&[2i32, 0], &[1, 2]), rig.tensor(&[17i32], &[1]));
    let mut y = rig.output(&[1, 2, width]);
    let pack = VariantPack::new().input(&query).input(&keys).input(&values).input(&tables);
    let pack = pack.input_host(&lengths, &[17]).output(&mut y);
    // SAFETY: two blocks that there are hold 17 tokens.
    unsafe { attention.run_unchecked(&mut rig.context, &rig.stream, pack, &mut rig.workspace) }.unwrap();
    // Tokens 32 to 47, and 0.
    let mean = (32..48).sum::<i32>() as f32 / 17.0;
    assert!(rig.floats(&y).iter().all(|value| (value - mean).abs() < 0.05), "{mean}: {:?}", rig.floats(&y));
}

#[test]
fn multi_latent_attention() {
    let mut rig = Rig::new();
    let (heads, size) = (16, 128);
    let param = MultiLatentAttention {
        head_num: heads as i32,
        kv_head_num: 1,
        cache_mode: CacheMode::KropeCtkv,
        ..MultiLatentAttention::default()
    };
    let mut attention = rig.operation(param);
    let latent: Vec<f32> = (0..2 * size).flat_map(|token| [token as f32; 512]).collect();
    let q_nope = rig.half(&vec![0.0; heads * 512], &[1, heads, 512]);
    let q_rope = rig.half(&vec![0.0; heads * 64], &[1, heads, 64]);
    let latent = rig.half(&latent, &[2, size, 1, 512]);
    let rope = rig.half(&vec![1.0; 2 * size * 64], &[2, size, 1, 64]);
    let (tables, lengths) = (rig.tensor(&[1i32], &[1, 1]), rig.tensor(&[3i32], &[1]));
    let mut y = rig.output(&[1, heads, 512]);
    let pack = VariantPack::new().input(&q_nope).input(&q_rope).input(&latent).input(&rope).input(&tables);
    let pack = pack.input_host(&lengths, &[3]).output(&mut y);
    // SAFETY: block 1 holds three tokens.
    unsafe { attention.run_unchecked(&mut rig.context, &rig.stream, pack, &mut rig.workspace) }.unwrap();
    // Tokens 128, 129 and 130.
    assert!(rig.floats(&y).iter().all(|value| (value - 129.0).abs() < 0.2), "{:?}", &rig.floats(&y)[..8]);
}

/// The simulator does not have everything: the parameter reaches it all the same, and the error says so.
#[test]
fn what_is_not_simulated_says_so() {
    let rig = Rig::new();
    let mut norm = RmsNorm::norm(NormParam::default());
    norm.norm_param.rstd = true;
    let error = Operation::new(&rig.runtime, norm).map(drop).unwrap_err();
    assert_eq!(error.name(), Some("ATB_SHIM_UNSUPPORTED"));
    assert!(error.to_string().starts_with("CreateOperation of RmsNorm failed: -2"), "{error}");
}
