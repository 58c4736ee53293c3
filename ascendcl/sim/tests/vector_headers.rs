//! The headers of the vector interface, compiled by the host's C++ compiler against a model that records.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::path::Path;
use std::process::{Command, Output};

const CORES: [&str; 2] = ["-D__DAV_C220_VEC__", "-D__DAV_C220_CUBE__"];

/// Runs the C++ compiler on a source of `tests/headers`.
fn compile(source: &str, core: &str, options: &[&str]) -> Output {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(env::var_os("CXX").unwrap_or_else(|| "g++".into()))
        .args(["-std=c++17", core, "-I"])
        .arg(here.join("include"))
        .arg(here.join("tests/headers").join(source))
        .args(options)
        .output()
        .unwrap()
}

#[test]
fn every_vector_function_makes_the_documented_instructions() {
    let folder = tempfile::tempdir().unwrap();
    for core in CORES {
        let program = folder.path().join("vector");
        let output =
            compile("vector.cpp", core, &["-Wall", "-Wextra", "-Werror", "-o", program.to_str().unwrap()]);
        assert!(output.status.success(), "{core}: {}", String::from_utf8_lossy(&output.stderr));
        let output = Command::new(&program).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text == "0 failures\n", "{core}: {text}");
    }
}

#[test]
fn the_headers_have_no_warnings_when_optimized() {
    for core in CORES {
        let output =
            compile("vector.cpp", core, &["-O2", "-Wall", "-Wextra", "-Werror", "-S", "-o", "/dev/null"]);
        assert!(output.status.success(), "{core}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Functions that no call compiles with.
const UNAVAILABLE: [&str; 26] = [
    "BilinearInterpolation",
    "AbsSub",
    "Ands",
    "DeInterleave",
    "Divs",
    "ExpSub",
    "FusedAbsSub",
    "FusedExpSub",
    "Interleave",
    "MrgSort4",
    "Mull",
    "MulsCast",
    "Neg",
    "Ors",
    "Prelu",
    "ProposalConcat",
    "ProposalExtract",
    "RpSort16",
    "Scatter",
    "Subs",
    "Truncate",
    "VectorPadding",
    "CastDequant from int16_t",
    "SetDeqScale with a tensor",
    "Select of a tensor and the scalar of SetCmpMask",
    "Select without a mask in another mode than VSEL_CMPMASK_SPR",
];

/// What the compiler says of element types that the hardware does not have for a function.
const WRONG_TYPES: [&str; 18] = [
    "Abs: the type of the elements must be one of half, float",
    "Add: the type of the elements must be one of int16_t, half, int32_t, float",
    "Muls: the type of the elements must be one of int16_t, half, int32_t, float",
    "Cast: NPU architecture 2201 has no cast between these types",
    "MulAddDst: NPU architecture 2201 does not compute with these types",
    "Axpy: NPU architecture 2201 does not compute with these types",
    "Duplicate: the type of the elements must be one of int16_t, uint16_t, half, bfloat16_t",
    "Brcb: the elements must be of 16 or 32 bits",
    "Gather: the elements must be of 16 or 32 bits",
    "Gatherb: the elements must be of uint16_t or uint32_t",
    "GatherMask: the pattern must be of uint16_t",
    "reductions: the elements must be of half or float",
    "ReducePairElem: there is only the sum",
    "Compare: the elements must be of half, float or int32_t",
    "Select: the elements must be of half or float",
    "Transpose: the elements must be of int16_t, uint16_t or half",
    "Sort32: the scores must be of half or float",
    "TransDataTo5HD: NPU architecture 2201 does not transpose elements of this type",
];

#[test]
fn what_the_model_has_not_does_not_compile() {
    let output = compile("refused.cpp", CORES[0], &["-fsyntax-only", "-fmax-errors=0"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    for name in UNAVAILABLE {
        let message = format!("{name} is not available on the model of NPU architecture 2201");
        assert!(text.contains(&message), "no error says: {message}\n{text}");
    }
    for message in WRONG_TYPES {
        assert!(text.contains(message), "no error says: {message}\n{text}");
    }
}
