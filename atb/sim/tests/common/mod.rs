//! What the tests share: the simulated device, and operations through the C table, as any program has them.
#![allow(dead_code, unused_macros, reason = "no test file uses everything")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI32, Ordering};

use ascendcl_sim::SimConfig;
use ascendcl_sys::*;
use atb_sys::*;
use bytemuck::{AnyBitPattern, NoUninit};

const DEVICES: i32 = 48;

/// AscendCL's functions, after `aclInit`.
pub static ACL: LazyLock<Library> = LazyLock::new(|| {
    let config = SimConfig { devices: DEVICES as u32, memory: Some(1 << 30), ..SimConfig::default() };
    ascendcl_sim::configure(config).unwrap();
    // SAFETY: The simulator checks the signatures of its functions against these bindings when it is built.
    let library = unsafe { Library::from_resolver("the simulated device", ascendcl_sim::resolve) };
    // SAFETY: Null is an argument that the function takes.
    assert_eq!(unsafe { library.aclInit(ptr::null()) }.unwrap(), ACL_SUCCESS);
    library
});

/// Calls a function of AscendCL, which must succeed.
macro_rules! acl {
    ($function:ident($($argument:expr),* $(,)?)) => {{
        // SAFETY: The tests pass pointers that the functions can use.
        let code = unsafe { $crate::common::ACL.$function($($argument),*) }.expect("the simulator has every function");
        assert_eq!(code, ascendcl_sys::ACL_SUCCESS, "{}", stringify!($function));
    }};
}

/// Calls a function of the table and answers with its status.
macro_rules! atb {
    ($function:ident($($argument:expr),* $(,)?)) => {
        // SAFETY: The tests pass pointers that the functions can use, or handles, which are only looked up.
        unsafe { (atb_sim::functions().$function.expect("no member of the table is null"))($($argument),*) }
    };
}

/// Calls a function of the table, which must succeed.
macro_rules! ok {
    ($function:ident($($argument:tt)*)) => {{
        let status = atb!($function($($argument)*));
        assert_eq!(status, atb_sys::ATB_NO_ERROR, "{}", $crate::common::message());
    }};
}

/// Calls a function of the table, which must fail with a status and a message that has this text.
macro_rules! fails {
    ($status:ident, $text:expr, $function:ident($($argument:tt)*)) => {{
        let status = atb!($function($($argument)*));
        let message = $crate::common::message();
        assert_eq!(status, $status, "{}, expected {}: {message}", status, stringify!($status));
        assert!(message.contains($text), "{:?} is not in {message:?}", $text);
    }};
}

pub mod mla_preprocess;

/// What the thread's last refused call had to say.
pub fn message() -> String {
    let mut text = vec![0u8; 4096];
    let mut length = 0;
    // SAFETY: The text has room for that many bytes.
    unsafe {
        (atb_sim::functions().message.expect("no member of the table is null"))(
            text.as_mut_ptr().cast(),
            text.len(),
            &mut length,
        )
    };
    text.truncate(length.min(4095));
    String::from_utf8(text).unwrap()
}

/// Starts the simulated machine, for tests that need no device.
pub fn initialize() {
    LazyLock::force(&ACL);
}

/// A device, current in this thread, with a stream and a context of ATB on it.
pub struct Fixture {
    device: i32,
    pub stream: aclrtStream,
    pub context: *mut atb_context,
}

static NEXT_DEVICE: AtomicI32 = AtomicI32::new(0);

impl Fixture {
    pub fn new() -> Self {
        let device = NEXT_DEVICE.fetch_add(1, Ordering::Relaxed);
        assert!(device < DEVICES, "more tests than devices");
        acl!(aclrtSetDevice(device));
        let (mut stream, mut context) = (aclrtStream::null(), ptr::null_mut());
        acl!(aclrtCreateStream(&mut stream));
        ok!(createContext(&mut context));
        ok!(setExecuteStream(context, stream.0));
        Self { device, stream, context }
    }

    /// Device memory with these values.
    pub fn upload<T: NoUninit>(&self, values: &[T]) -> Buffer<T> {
        let buffer = self.alloc(values.len());
        let bytes = size_of_val(values);
        acl!(aclrtMemcpy(buffer.memory, bytes, values.as_ptr().cast(), bytes, ACL_MEMCPY_HOST_TO_DEVICE));
        buffer
    }

    /// Device memory of this many values, all bytes 0xA5.
    pub fn alloc<T>(&self, count: usize) -> Buffer<T> {
        let bytes = count * size_of::<T>();
        let mut memory = ptr::null_mut();
        acl!(aclrtMalloc(&mut memory, bytes, ACL_MEM_MALLOC_HUGE_FIRST));
        acl!(aclrtMemset(memory, bytes, 0xA5, bytes));
        Buffer { memory, count, values: PhantomData }
    }

    pub fn synchronize(&self) {
        acl!(aclrtSynchronizeStream(self.stream));
    }

    /// Sets up, allocates the workspace, executes and waits; answers the bytes of workspace.
    pub fn run(&self, operation: *mut atb_operation, inputs: &[atb_tensor], outputs: &[atb_tensor]) -> u64 {
        let size = self.set_up(operation, inputs, outputs);
        let workspace = self.alloc::<u8>((size as usize).max(1));
        self.execute(operation, inputs, outputs, &workspace);
        self.synchronize();
        size
    }

    pub fn set_up(
        &self,
        operation: *mut atb_operation,
        inputs: &[atb_tensor],
        outputs: &[atb_tensor],
    ) -> u64 {
        let mut size = 0;
        ok!(setup(
            operation,
            inputs.as_ptr(),
            inputs.len(),
            outputs.as_ptr(),
            outputs.len(),
            &mut size,
            self.context
        ));
        size
    }

    pub fn execute(
        &self,
        operation: *mut atb_operation,
        inputs: &[atb_tensor],
        outputs: &[atb_tensor],
        workspace: &Buffer<u8>,
    ) {
        ok!(execute(
            operation,
            inputs.as_ptr(),
            inputs.len(),
            outputs.as_ptr(),
            outputs.len(),
            workspace.memory,
            workspace.count as u64,
            self.context
        ));
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        ok!(destroyContext(self.context));
        acl!(aclrtDestroyStream(self.stream));
        acl!(aclrtResetDevice(self.device));
    }
}

/// Memory of the device, which goes with the test's device.
pub struct Buffer<T> {
    pub memory: *mut c_void,
    pub count: usize,
    values: PhantomData<T>,
}

impl<T: AnyBitPattern + NoUninit> Buffer<T> {
    pub fn download(&self) -> Vec<T> {
        let mut values = vec![T::zeroed(); self.count];
        let bytes = self.count * size_of::<T>();
        acl!(aclrtMemcpy(values.as_mut_ptr().cast(), bytes, self.memory, bytes, ACL_MEMCPY_DEVICE_TO_HOST));
        values
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            acl!(aclrtFree(self.memory));
        }
    }
}

pub fn nd(dtype: aclDataType, shape: &[i64]) -> atb_tensor_desc {
    desc(dtype, ACL_FORMAT_ND, shape)
}

pub fn nz(dtype: aclDataType, shape: &[i64]) -> atb_tensor_desc {
    desc(dtype, ACL_FORMAT_FRACTAL_NZ, shape)
}

pub fn desc(dtype: aclDataType, format: aclFormat, shape: &[i64]) -> atb_tensor_desc {
    atb_tensor_desc { dtype: dtype.0, format: format.0, shape: dims(shape) }
}

pub fn dims(shape: &[i64]) -> atb_dims {
    let mut dims = [0; 8];
    dims[..shape.len()].copy_from_slice(shape);
    atb_dims { dims, dimNum: shape.len() as u64 }
}

/// A tensor that is left out.
pub fn none() -> atb_tensor_desc {
    desc(ACL_DT_UNDEFINED, aclFormat(-1), &[])
}

pub fn shape_of(desc: &atb_tensor_desc) -> Vec<i64> {
    desc.shape.dims[..desc.shape.dimNum as usize].to_vec()
}

/// A tensor at an address, of as many bytes as its description has.
pub fn tensor(desc: atb_tensor_desc, memory: *mut c_void) -> atb_tensor {
    let mut bytes = 0;
    ok!(getTensorSize(&desc, &mut bytes));
    atb_tensor { desc, deviceData: memory, hostData: ptr::null_mut(), dataSize: bytes }
}

/// A matrix of 64-bit integers.
pub fn matrix(buffer: &Buffer<i64>, shape: &[i64]) -> atb_tensor {
    tensor(nd(ACL_INT64, shape), buffer.memory)
}

/// An operation that exchanges rows and columns.
pub fn transpose() -> *mut atb_operation {
    let perm = [1, 0];
    let param = atb_transpose_param { perm: perm.as_ptr(), dimNum: perm.len() };
    let mut operation = ptr::null_mut();
    ok!(createTranspose(&param, &mut operation));
    operation
}

/// Rows and columns exchanged, as one writes it down.
pub fn transposed(values: &[i64], rows: usize, columns: usize) -> Vec<i64> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// What a node of a graph is made of.
#[derive(Clone)]
pub struct Node {
    pub operation: *mut atb_operation,
    pub inputs: Vec<u32>,
    pub outputs: Vec<u32>,
    pub reshapes: Vec<atb_reshape>,
    pub chunks: Vec<atb_chunk>,
}

pub fn node(operation: *mut atb_operation, inputs: &[u32], outputs: &[u32]) -> Node {
    let (inputs, outputs) = (inputs.to_vec(), outputs.to_vec());
    Node { operation, inputs, outputs, reshapes: Vec::new(), chunks: Vec::new() }
}

pub const NO_INFER_SHAPE: atb_infer_shape = atb_infer_shape { function: None, data: ptr::null_mut() };

/// `createGraph` with these numbers of inputs, outputs and internal tensors.
pub fn create_graph(
    name: &str,
    [inputs, outputs, internals]: [u32; 3],
    nodes: &[Node],
    infer: atb_infer_shape,
    operation: &mut *mut atb_operation,
) -> atb_status {
    let name = CString::new(name).unwrap();
    let each = |node: &Node| atb_node {
        operation: node.operation,
        inTensorIds: node.inputs.as_ptr(),
        inTensorNum: node.inputs.len(),
        outTensorIds: node.outputs.as_ptr(),
        outTensorNum: node.outputs.len(),
        inTensorReshapes: if node.reshapes.is_empty() { ptr::null() } else { node.reshapes.as_ptr() },
        inTensorChunks: if node.chunks.is_empty() { ptr::null() } else { node.chunks.as_ptr() },
    };
    let nodes: Vec<atb_node> = nodes.iter().map(each).collect();
    let param = atb_graph_param {
        name: name.as_ptr(),
        inTensorNum: inputs,
        outTensorNum: outputs,
        internalTensorNum: internals,
        nodes: nodes.as_ptr(),
        nodeNum: nodes.len(),
        inferShape: infer,
    };
    atb!(createGraph(&param, operation))
}

/// A graph, which must be one.
pub fn graph(counts: [u32; 3], nodes: &[Node]) -> *mut atb_operation {
    let mut operation = ptr::null_mut();
    let status = create_graph("graph", counts, nodes, NO_INFER_SHAPE, &mut operation);
    assert_eq!(status, ATB_NO_ERROR, "{}", message());
    operation
}
