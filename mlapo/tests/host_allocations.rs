//! A call of the host kernel allocates nothing; alone in its process, because it counts every thread's allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlapo::fixture::Fixture;
use mlapo::host::HostKernel;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every method hands its arguments to the system's allocator and returns what it returns.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and the pointer came from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_call_allocates_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/public");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for name in ["p06_bf16_cm1_qm0_n33_h3", "p11_fp16_cm2_qm1_n9_h1"] {
        let fixture = Fixture::open(folder.join(name).with_extension("safetensors")).unwrap();
        let problem = fixture.problem().unwrap();
        let mut kernel = HostKernel::new(&problem.case.config, &problem.weights).unwrap();
        let mut allocations = |calls: usize| {
            let mut count = 0;
            let computed = problem.compute(|_, _, inputs, outputs| {
                // Inside the pool, so that the hand-over to it does not count.
                count = pool.install(|| {
                    let before = ALLOCATIONS.load(Ordering::Relaxed);
                    for _ in 0..calls {
                        kernel.run(inputs, outputs)?;
                    }
                    Ok::<_, mlapo::Error>(ALLOCATIONS.load(Ordering::Relaxed) - before)
                })?;
                Ok(None)
            });
            computed.unwrap();
            count
        };
        // The first call makes room: the counter counts.
        assert!(allocations(1) > 0);
        assert_eq!(allocations(100), 0);
    }
}
