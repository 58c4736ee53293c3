//! What is refused of what a toolkit's commands leave.

use object::{FUNCTIONS, Unfit};

use super::*;

fn check(object: &[u8]) -> Result<(), Unfit> {
    object::check(object, &FUNCTIONS)
}

/// An object with these strings in it.
fn object(strings: &[&str]) -> Vec<u8> {
    let header = &CODE.as_bytes()[..20];
    let strings = strings.iter().flat_map(|text| [b"\0", text.as_bytes()].concat());
    header.iter().copied().chain(strings).chain([0]).collect()
}

#[test]
fn a_result_that_is_no_object_is_refused() {
    let bench = Bench::newest();
    bench.file("code", "#!/bin/sh");
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains("mlapo.o is no ELF object"), "{message}");
    assert!(message.contains("--method cmake"), "{message}");
    bench.program(&format!("{HOST}-linux/ccec_compiler/bin/ld.lld"), "exit 0\n");
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains("mlapo.o is not there"), "{message}");
    let Folders { artifacts, cache, .. } = bench.folders();
    assert!(!artifacts.exists() && fs::read_dir(cache).unwrap().next().is_none(), "nothing is kept");
    // All of the header that is looked at must be there.
    assert_eq!(check(&CODE.as_bytes()[..19]), Err(Unfit::NoElf));
    assert_eq!(check(b""), Err(Unfit::NoElf));
}

#[test]
fn an_object_for_the_host_is_refused() {
    let bench = Bench::newest();
    // A real one.
    fs::copy("/bin/sh", bench.home().join("code")).unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    let host = HOST.replace("x86_64", "x86-64");
    assert!(message.contains(&format!("mlapo.o is an object for {host}, not for AI cores")), "{message}");
    assert!(!bench.folders().artifacts.exists());
}

#[test]
fn an_object_without_the_kernels_functions_is_refused() {
    let bench = Bench::newest();
    bench.file("code", &String::from_utf8(object(&["mlapo_mix_aic", "my_mix_aiv"])).unwrap());
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(
        message.contains(
            "mlapo.o has no function mlapo_mix_aiv, by which the library finds the kernel; it has of such functions: \
             mlapo_mix_aic, my_mix_aiv"
        ),
        "{message}"
    );
    assert!(!bench.folders().artifacts.exists());
    let none = check(&object(&["mlapo", "mlapo_mix_aic_", "_mix"])).unwrap_err();
    assert!(none.to_string().ends_with("it has of such functions: none"), "{none}");
}

#[test]
fn names_of_functions_may_share_strings_with_names_of_sections() {
    assert_eq!(check(&object(&[".text.mlapo_mix_aiv", "mlapo_mix_aic"])), Ok(()));
    assert_eq!(check(CODE.as_bytes()), Ok(()));
}
