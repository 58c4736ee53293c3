mod common;
use ascendcl_sys::*;
use common::*;
use std::time::Instant;
#[test]
fn bench() {
    let _d = TestDevice::take();
    let s = stream();
    let m = malloc(64);
    for n in [1usize, 100, 10000] {
        for _ in 0..3 {
            let t = Instant::now();
            for _ in 0..n { code!(aclrtMemsetAsync(m, 64, 1, 64, s)); }
            let e = t.elapsed();
            ok!(aclrtSynchronizeStream(s));
            eprintln!("{n}: enqueue {:?} each, with sync {:?} each", e / n as u32, t.elapsed() / n as u32);
        }
    }
}
