//! The example runs, with few heads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

fn run(arguments: &[&str]) -> (bool, String) {
    // Beside `deps`, in which this test is.
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    let output = Command::new(path.join("examples/mla_preprocess"))
        .args(arguments)
        .env("ASCENDCL_BACKEND", "sim")
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn mla_preprocess() {
    for kind in ["fp16", "bf16"] {
        let (success, text) = run(&[kind, "5", "2"]);
        assert!(success, "{text}");
        assert!(text.contains("output 0: Int8 Nd [5, 2, 512]\n"), "{text}");
        assert!(text.contains("output 1: Int8 FractalNz [64, 16, 128, 32]\n"), "{text}");
        assert!(text.contains("execution: 10\n5 rows of the cache were written, and no other\n"), "{text}");
    }
}

#[test]
fn other_words_are_refused() {
    for arguments in [&["fp32"][..], &["fp16", "many"]] {
        let (success, text) = run(arguments);
        assert!(!success && text.contains("usage: mla_preprocess"), "{text}");
    }
}
