//! Builds objects from small sources; what they do when they run is tested with the simulator.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;

use ascendcl_sim_cc::{Build, Error, Kernel, KernelType};
use tempfile::TempDir;

fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A flag from scalar code, which any pipe could set, stands for the instructions of a kind of core.
const SOURCE: &str = r#"
#include "ascendc_model/core.h"
#define __aicore__
#define __cube__
using namespace AscendCModel;
inline void UseVector() { ExecuteVector(Vector {}, Site {}); }
inline void UseCube() { ExecuteCube(Mmad {}, Site {}); }
// Not inline, hence in every object of this source.
int Helper() { return IS_CUBE; }
extern "C" __global__ __aicore__ void on_vector(uint8_t* x) { UseVector(); }
namespace other { __global__ __aicore__ void on_cube(uint8_t* x) { UseCube(); } }
__global__ __aicore__ void on_both() { UseVector(); UseCube(); }
__global__ __aicore__ void on_none(int x) { Helper(); }
__global__ __cube__ void said() { UseVector(); }
#ifdef EXTRA
__global__ __aicore__ void extra() {}
#endif
"#;

#[test]
fn the_kind_of_a_kernel_is_what_it_says_or_needs() {
    let folder = TempDir::new().unwrap();
    let source = file(&folder, "kernels.asc", SOURCE);
    let output = folder.path().join("kernels.so");
    let built = Build::new(&output).source(source).define("EXTRA=1").run().unwrap();
    let kernel = |name: &str, kernel_type| Kernel { name: name.into(), kernel_type };
    let mut kernels = built.kernels;
    kernels.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(
        kernels,
        [
            kernel("extra", KernelType::AivOnly),
            kernel("on_both", KernelType::MixAic12),
            kernel("on_cube", KernelType::AicOnly),
            kernel("on_none", KernelType::AivOnly),
            kernel("on_vector", KernelType::AivOnly),
            kernel("said", KernelType::AicOnly),
        ]
    );
    assert_eq!(fs::read(output).unwrap()[..4], *b"\x7fELF");
}

#[test]
fn errors_name_the_file_the_line_and_the_remedy() {
    let folder = TempDir::new().unwrap();
    let fails = |name: &str, text: &str| {
        let source = file(&folder, name, text);
        Build::new(folder.path().join("out.so")).source(source).run().unwrap_err()
    };
    let error = fails("broken.cpp", "__global__ void k() {\n  undeclared = 1;\n}\n");
    assert!(matches!(&error, Error::Compile { output, .. } if output.contains("broken.cpp:2:")), "{error}");
    let error = fails("none.h", "void k() {}\n");
    assert!(error.to_string().contains("none.h") && matches!(error, Error::NoKernel { .. }), "{error}");
    let error = fails("host.asc", "__global__ void k() {}\nint main() { k<<<1, nullptr, s>>>(); }\n");
    assert!(matches!(&error, Error::HostCode { file, line: 2 } if file.ends_with("host.asc")), "{error}");
    let error = fails("twice.cpp", "__global__ void k() {}\nnamespace n { __global__ void k() {} }\n");
    assert!(matches!(&error, Error::Twice { name } if name == "k"), "{error}");
    let error = Build::new("x.so").source("/there/is/none.cpp").run().unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(matches!(Build::new("x.so").run(), Err(Error::NoSource)));
    let source = file(&folder, "good.cpp", "__global__ void k() {}\n");
    let error = Build::new("x.so").source(source).compiler("no-such-compiler").run().unwrap_err();
    assert!(
        error.to_string().contains("no-such-compiler") && error.to_string().contains("install g++"),
        "{error}"
    );
}
