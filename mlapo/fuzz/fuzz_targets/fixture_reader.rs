//! `fixture_reader` on whatever libFuzzer makes up.
#![no_main]

#[path = "../../tests/fuzz/mod.rs"]
mod fuzz;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzz::fixture_reader::fixture_reader(bytes);
});
