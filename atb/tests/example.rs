//! The example, with few heads.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "its `main`")]
#[path = "../examples/mla_preprocess.rs"]
mod mla_preprocess;

fn run(arguments: &[&str]) -> Result<String, String> {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let mut out = Vec::new();
    mla_preprocess::run(&arguments, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn runs() {
    for kind in ["fp16", "bf16"] {
        let text = run(&[kind, "5", "2"]).unwrap();
        assert!(text.contains("\noutput 0: Int8 Nd [5, 2, 512]\n"), "{text}");
        assert!(text.contains("\noutput 1: Int8 FractalNz [64, 16, 128, 32]\n"), "{text}");
        assert!(text.contains(" execution: 10\n5 rows of the cache were written, and no other\n"), "{text}");
    }
}

#[test]
fn other_words_are_refused() {
    for arguments in [&["fp32"][..], &["fp16", "many"]] {
        assert_eq!(run(arguments).unwrap_err(), "usage: mla_preprocess [fp16|bf16] [tokens] [heads]");
    }
}
