//! What `aclnn` operators are called with, and their executors.

mod array;
mod dump;
mod executor;
mod list;
mod scalar;
mod tensor;

use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use parking_lot::Mutex;

pub use self::array::{BoolArray, FloatArray, IntArray};
pub use self::executor::{Executor, OperandIndex};
pub use self::list::{ScalarList, TensorList};
pub use self::scalar::OpScalar;
pub use self::tensor::{OpTensor, TensorView};
use crate::error::{Error, Result, ShapeError};
use crate::host_function::is_inside;
use crate::raw::Acl;
use crate::raw::operator::{Operand, Sequence};
use crate::runtime::Runtime;

/// The operator libraries that this process has initialised.
static OPEN: Mutex<Vec<Arc<OperatorsInner>>> = Mutex::new(Vec::new());

/// The initialised operator library (`aclnnInit`): makes what operators are called with.
///
/// Cheap to clone. An `aclnn` operator is a pair of C functions that the program declares itself; their arguments
/// are the raw handles of the objects made here, which the objects destroy when they are dropped. The objects stay on
/// their thread.
///
/// The library stays initialised until [`finalize`](Self::finalize) is called, and keeps the runtime in use until then.
///
/// ```
/// use ascendcl::{Backend, Format, Operators, Runtime};
/// let runtime = Runtime::with_backend(Backend::Sim)?;
/// let stream = runtime.device(0)?.stream()?;
/// let tensor = stream.tensor_from(&[1.0f32, 2.0], Format::Nd, &[1, 2])?;
///
/// let operators = Operators::new(&runtime)?;
/// let input = operators.tensor(&tensor)?;
/// let alpha = operators.scalar(0.5f32)?;
/// let axes = operators.int_array(&[0, 1])?;
/// // unsafe { aclnnXxxGetWorkspaceSize(input.as_raw(), axes.as_raw(), alpha.as_raw(), .., &mut executor) }
/// # assert!(!input.as_raw().is_null() && !axes.as_raw().is_null() && !alpha.as_raw().is_null());
/// # Ok::<(), ascendcl::Error>(())
/// ```
#[derive(Clone)]
pub struct Operators {
    inner: Arc<OperatorsInner>,
}

struct OperatorsInner {
    runtime: Runtime,
}

impl Operators {
    /// The operator library of a runtime, initialised now or before (`aclnnInit`).
    ///
    /// # Errors
    /// [`Error::MissingSymbol`] if the library is not installed, [`Error::Acl`] from `aclnnInit`.
    pub fn new(runtime: &Runtime) -> Result<Self> {
        if is_inside() {
            return Err(Error::InHostFunction);
        }
        let mut open = OPEN.lock();
        if let Some(inner) = open.iter().find(|inner| Arc::ptr_eq(&inner.runtime.inner, &runtime.inner)) {
            return Ok(Self { inner: Arc::clone(inner) });
        }
        runtime.acl().init_operators()?;
        let inner = Arc::new(OperatorsInner { runtime: runtime.clone() });
        open.push(Arc::clone(&inner));
        Ok(Self { inner })
    }

    /// The runtime that it belongs to.
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// Ends the operator library's use in this process (`aclnnFinalize`).
    ///
    /// # Errors
    /// [`Error::InUse`] if another handle or an object made by one is alive; [`Error::Acl`] from the library.
    pub fn finalize(self) -> Result<()> {
        let acl = self.acl()?;
        let mut open = OPEN.lock();
        // One handle is `self`, one is in `OPEN`; nobody can make a new one while `OPEN` is locked, except from
        // a third handle, which would be counted.
        let handles = Arc::strong_count(&self.inner).saturating_sub(2);
        if handles > 0 {
            return Err(Error::InUse { handles });
        }
        open.retain(|inner| !Arc::ptr_eq(inner, &self.inner));
        // SAFETY: every object holds a handle, and there is none.
        unsafe { acl.finalize_operators() }
    }

    /// The library, unless the caller is a host function, from which it must not be called.
    fn acl(&self) -> Result<&Acl> {
        if is_inside() {
            return Err(Error::InHostFunction);
        }
        Ok(self.inner.runtime.acl())
    }

    /// Whether an object that belongs to `runtime` may be used here.
    fn check_runtime(&self, what: &'static str, runtime: &Runtime) -> Result<()> {
        if Arc::ptr_eq(&self.inner.runtime.inner, &runtime.inner) {
            return Ok(());
        }
        let (expected, got) = (format!("{:?}", self.runtime()), format!("{runtime:?}"));
        Err(Error::Mismatch { what, expected, got })
    }
}

impl fmt::Debug for Operators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operators").field(&self.inner.runtime).finish()
    }
}

/// An object of the operator library, destroyed when it is dropped.
struct Owned<P: Operand> {
    raw: NonNull<P>,
    operators: Operators,
}

impl<P: Operand> Owned<P> {
    /// # Safety
    /// The object was just made by `operators`, and nothing else owns it.
    unsafe fn new(operators: &Operators, raw: NonNull<P>) -> Self {
        Self { raw, operators: operators.clone() }
    }

    fn acl(&self) -> &Acl {
        self.operators.inner.runtime.acl()
    }

    /// Leaves the object to a list.
    fn give_up(self) {
        // The handle must go, or the operator library would seem in use for good.
        let this = ManuallyDrop::new(self);
        // SAFETY: read once, from what is not dropped.
        drop(unsafe { ptr::read(&this.operators) });
    }
}

impl<P: Sequence> Owned<P> {
    fn len(&self) -> Result<usize> {
        // SAFETY: the object is alive as long as its owner.
        let len = unsafe { P::len(self.acl(), self.raw) }?;
        usize::try_from(len)
            .map_err(|_| ShapeError::new("number of members", "one that fits the address space", len).into())
    }
}

impl<P: Operand> Drop for Owned<P> {
    fn drop(&mut self) {
        // SAFETY: the object is alive until now, and a list's members are not owned like this.
        if let Err(error) = unsafe { P::destroy(self.acl(), self.raw) } {
            tracing::error!(%error, "destroying an operand");
        }
    }
}

#[cfg(all(test, feature = "sim"))]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::backend::{Backend, BackendKind, Opened};
    use crate::dtype::Format;

    /// A runtime that nobody else has a handle to.
    fn runtime() -> Runtime {
        // SAFETY: the simulator's functions have the signatures of their names.
        let functions = unsafe { ascendcl_sys::Library::from_resolver("own", ascendcl_sim::resolve) };
        let acl = Acl { functions };
        let initialised_here = acl.init().unwrap();
        Runtime::of_library(Opened { acl, initialised_here }, BackendKind::Sim)
    }

    #[test]
    fn the_library_is_in_use_while_there_are_objects() {
        let runtime = runtime();
        let operators = Operators::new(&runtime).unwrap();
        let again = Operators::new(&runtime).unwrap();
        assert!(matches!(again.finalize(), Err(Error::InUse { handles: 1 })));
        // The list owns its member, which has no handle of its own any more.
        let list = operators.scalar_list(vec![operators.scalar(2i32).unwrap()]).unwrap();
        assert!(matches!(operators.clone().finalize(), Err(Error::InUse { handles: 2 })));
        drop(list);
        operators.finalize().unwrap();
        Operators::new(&runtime).unwrap().finalize().unwrap();
        assert_eq!(Arc::strong_count(&runtime.inner), 1, "the runtime is no longer in use");
    }

    #[test]
    fn tensors_and_members_of_other_runtimes_are_refused() {
        let (mine, other) = (runtime(), Runtime::with_backend(Backend::Sim).unwrap());
        let stream = other.device(0).unwrap().stream().unwrap();
        let tensor = stream.tensor_from(&[1u8], Format::Nd, &[1]).unwrap();
        let operators = Operators::new(&mine).unwrap();
        assert!(matches!(operators.tensor(&tensor), Err(Error::Mismatch { what: "tensor", .. })));
        let member = Operators::new(&other).unwrap().tensor(&tensor).unwrap();
        assert!(matches!(operators.tensor_list(vec![member]), Err(Error::Mismatch { .. })));
        operators.finalize().unwrap();
    }
}
