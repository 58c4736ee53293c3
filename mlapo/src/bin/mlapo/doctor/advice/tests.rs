use std::fs;
use std::time::Duration;

use super::super::ascend::{Node, Toolkit};
use super::super::npu_smi::Ailing;
use super::super::probe::{Devices, FoundDevice, Properties, TriedNode};
use super::super::version::Package;
use super::*;

/// A machine, and what it is found to be when things are tried.
#[derive(Clone)]
struct Machine {
    ascend: Ascend,
    npu_smi: NpuSmi,
    npu: Npu,
    refused: Refused,
}

fn node(path: &str) -> Node {
    Node { path: path.into(), accessible: true }
}

fn package(version: &str) -> Option<Package> {
    Some(Package { version: version.into(), counterparts: Vec::new() })
}

fn device(id: i32) -> FoundDevice {
    let properties = Properties {
        soc: "Ascend910B3".into(),
        ai_cores: 20,
        vector_cores: 40,
        l2_bytes: 1,
        memory_bytes: 1,
    };
    FoundDevice { id, properties: Ok(properties) }
}

/// A machine as it should be, with these devices. Whether a kernel fits is another matter: see `faults_of`.
fn with_devices(devices: Vec<FoundDevice>) -> Machine {
    let npu = Npu {
        library: Some(Ok("/usr/lib/libascendcl.so".into())),
        devices: Devices { found: devices, runtime: None, error: None },
        broken: None,
    };
    let ascend = Ascend {
        toolkits: Vec::new(),
        driver_home: "/usr/local/Ascend/driver".into(),
        driver: package("24.1"),
        firmware: package("7.1"),
        driver_is_registered: true,
        devices: vec![node("/dev/davinci0"), node("/dev/davinci1")],
        managing: ["davinci_manager", "devmm_svm", "hisi_hdc"]
            .map(|name| node(&format!("/dev/{name}")))
            .into(),
        missing_managing: Vec::new(),
        atb: Vec::new(),
    };
    Machine { ascend, npu_smi: NpuSmi::Works(Vec::new()), npu, refused: Refused::default() }
}

fn sound() -> Machine {
    with_devices(vec![device(0), device(1)])
}

/// The same machine where the library sees no device.
fn deviceless() -> Machine {
    let mut machine = with_devices(Vec::new());
    machine.npu.devices.error = Some("libascendcl.so loads but sees no device".into());
    machine
}

/// The faults of a machine, but for a kernel that was not built.
fn faults_of(machine: &Machine, environment: &[(&str, &str)]) -> Vec<String> {
    let Machine { ascend, npu_smi, npu, refused } = machine;
    let environment = Environment::of(environment);
    let mut faults = faults(&Evidence { ascend, npu_smi, environment: &environment, npu, refused });
    faults.retain(|fault| !fault.contains("build-kernels"));
    faults
}

/// The only fault of a machine, which must have all of these words.
fn only(machine: &Machine, environment: &[(&str, &str)], words: &[&str]) {
    let faults = faults_of(machine, environment);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    for word in words {
        assert!(faults[0].contains(word), "{word}: {faults:?}");
    }
}

fn none(machine: &Machine, environment: &[(&str, &str)]) {
    assert_eq!(faults_of(machine, environment), [""; 0]);
}

/// A machine with another installation.
fn but(machine: Machine, change: impl FnOnce(&mut Machine)) -> Machine {
    let mut machine = machine;
    change(&mut machine);
    machine
}

#[test]
fn sound_machines_have_no_fault() {
    none(&sound(), &[]);
    none(&deviceless(), &[]);
    let bare = but(deviceless(), |machine| {
        machine.npu = Npu::default();
        machine.npu_smi = NpuSmi::Missing;
        machine.ascend.driver_is_registered = false;
        (machine.ascend.driver, machine.ascend.firmware) = (None, None);
        (machine.ascend.devices, machine.ascend.managing) = (Vec::new(), Vec::new());
    });
    none(&bare, &[]);
}

/// What the usual command line of docker leaves out is not missed where devices open.
#[test]
fn containers_that_work_have_no_fault() {
    let container = |machine| {
        but(machine, |machine: &mut Machine| {
            machine.ascend.firmware = None;
            machine.npu_smi = NpuSmi::Missing;
            machine.ascend.missing_managing = vec!["hisi_hdc".into()];
            machine.ascend.driver_is_registered = false;
            machine.ascend.devices[1].accessible = false;
        })
    };
    none(&container(sound()), &[("LD_LIBRARY_PATH", "/opt/lib")]);
    let faults = faults_of(&container(deviceless()), &[("LD_LIBRARY_PATH", "/opt/lib")]);
    assert_eq!(faults.len(), 5, "{faults:#?}");
}

#[test]
fn driver_and_devices() {
    only(&but(deviceless(), |machine| machine.ascend.firmware = None), &[], &["no firmware", "container"]);
    only(&but(deviceless(), |machine| machine.ascend.driver = None), &[], &["no driver", "Ascend/driver"]);
    let empty = but(deviceless(), |machine| machine.ascend.devices = Vec::new());
    only(&empty, &[], &["no /dev/davinci*", "--device"]);
    let missing = vec!["devmm_svm".to_owned(), "hisi_hdc".to_owned()];
    let without = but(deviceless(), |machine| machine.ascend.missing_managing = missing);
    only(&without, &[], &["/dev/devmm_svm, /dev/hisi_hdc"]);
    only(&but(deviceless(), |machine| machine.npu_smi = NpuSmi::Missing), &[], &["no `npu-smi`"]);

    // Whether or not devices open.
    for machine in [sound(), deviceless()] {
        let fails = but(machine.clone(), |machine| machine.npu_smi = NpuSmi::Fails("dcmi -8005".into()));
        only(&fails, &[], &["dcmi -8005", "dmesg"]);
        let ailing = Ailing { npu: "3".into(), health: "Alarm".into() };
        let unwell = but(machine.clone(), |machine| machine.npu_smi = NpuSmi::Works(vec![ailing]));
        only(&unwell, &[], &["Alarm", "npu-smi info -t health -i 3"]);
        let apart = but(machine, |machine| {
            let counterparts = vec![("7.2".into(), "7.3".into())];
            machine.ascend.driver = Some(Package { version: "24.1".into(), counterparts });
        });
        only(&apart, &[], &["driver 24.1", "firmware 7.1", "one release"]);
    }
}

#[test]
fn device_files_that_do_not_open() {
    let forbidden = but(deviceless(), |machine| machine.ascend.devices[0].accessible = false);
    only(&forbidden, &[], &["/dev/davinci0:", "HwHiAiUser"]);
    let refused = |path: &str| TriedNode { path: path.into(), error: Some("Operation not permitted".into()) };
    let by_container = but(deviceless(), |machine| {
        machine.refused.nodes = vec![refused("/dev/davinci1"), refused("/dev/devmm_svm")];
    });
    only(&by_container, &[], &["/dev/davinci1, /dev/devmm_svm cannot", "not permitted", "--device"]);
    // One cause, one fault.
    let known = but(forbidden, |machine| machine.refused.nodes = vec![refused("/dev/davinci0")]);
    only(&known, &[], &["/dev/davinci0:", "HwHiAiUser"]);
    let hung = Broken::Hung { patience: Duration::from_secs(30), doing: "/dev/davinci0 was opened".into() };
    let hangs = but(deviceless(), |machine| machine.refused.broken = Some(hung));
    only(&hangs, &[], &["did not answer in 30 s while /dev/davinci0 was opened", "dmesg"]);
}

#[test]
fn libraries_that_hang_or_crash() {
    let doing = || "device 1 was opened".to_owned();
    let with = |broken| but(with_devices(vec![device(0)]), |machine| machine.npu.broken = Some(broken));
    let hung = with(Broken::Hung { patience: Duration::from_secs(30), doing: doing() });
    only(&hung, &[], &["did not answer in 30 s while device 1 was opened", "dmesg", "--time-limit"]);
    let crashed = with(Broken::Crashed { signal: 6, doing: doing() });
    only(&crashed, &[], &["crashed with signal 6 (SIGABRT) while device 1 was opened", "set_env.sh"]);
    let failed = FoundDevice { id: 1, properties: Err("507033".into()) };
    only(&with_devices(vec![device(0), failed]), &[], &["device 1 does not open (507033)"]);
}

#[test]
fn visible_devices_are_judged_by_what_is_read_of_them() {
    let visible = |machine: &Machine, text: &str, words: &[&str]| {
        let environment = [("ASCEND_RT_VISIBLE_DEVICES", text)];
        match words {
            [] => none(machine, &environment),
            words => only(machine, &environment, words),
        }
    };
    visible(&sound(), "0,1", &[]);
    let one = with_devices(vec![device(0)]);
    visible(&one, "1", &[]);
    visible(&one, "0,", &[]);
    for (text, read) in [("1, 0", "only `1`"), ("0,2", "only `0`"), ("1,0", "only `1`")] {
        visible(&one, text, &[read, "from 0 to 1"]);
    }
    for text in ["2", "-1", "+1", "NPU0", " 1"] {
        visible(&deviceless(), text, &["nothing counts"]);
    }
    visible(&deviceless(), "0,1", &["0 of these devices", "unset it"]);
    let unknown = but(deviceless(), |machine| {
        machine.ascend =
            Ascend { driver: None, firmware: None, devices: Vec::new(), ..machine.ascend.clone() }
    });
    visible(&unknown, "7", &["0 of these devices"]);
}

#[test]
fn devices_without_a_kernel() {
    // Nothing can be embedded for them.
    let mut other = device(0);
    other.properties =
        other.properties.map(|properties| Properties { soc: "Ascend310P3".into(), ..properties });
    let two = with_devices(vec![other.clone(), FoundDevice { id: 1, ..other }]);
    only(&two, &[], &["not for Ascend310P3", "--backend host"]);
    let Machine { ascend, npu_smi, npu, refused } = sound();
    let environment = Environment::of(&[]);
    let evidence = Evidence {
        ascend: &ascend,
        npu_smi: &npu_smi,
        environment: &environment,
        npu: &npu,
        refused: &refused,
    };
    match mlapo_kernel::binary_for("Ascend910B3", None) {
        Ok(_) => assert_eq!(faults(&evidence), [""; 0]),
        Err(_) => assert!(faults(&evidence)[0].contains("`cargo xtask build-kernels --soc Ascend910B3`")),
    }
}

#[test]
fn scripts_that_were_not_sourced() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().to_str().unwrap();
    fs::create_dir(home.path().join("lib64")).unwrap();
    let toolkit = Toolkit { path: path.into(), is_there: true, version: None };
    let with_toolkit = but(sound(), |machine| machine.ascend.toolkits = vec![toolkit]);
    only(&with_toolkit, &[], &["set_env.sh", path]);
    only(&with_toolkit, &[("ASCEND_HOME_PATH", path)], &["ASCEND_OPP_PATH"]);
    none(&with_toolkit, &[("ASCEND_HOME_PATH", path), ("ASCEND_OPP_PATH", "/opp")]);
    only(&sound(), &[("ASCEND_HOME_PATH", "/nowhere")], &["/nowhere", "no toolkit"]);

    let atb = Atb { path: "/nnal/atb/cxx_abi_1".into(), version: None, abi: Some(1) };
    let with_atb = but(sound(), |machine| machine.ascend.atb = vec![atb]);
    only(&with_atb, &[], &["/nnal/atb/cxx_abi_1", "after the toolkit's"]);
    only(&with_atb, &[("ATB_HOME_PATH", "/elsewhere")], &["/elsewhere", "no ATB"]);
    for home in ["/nnal/atb/cxx_abi_1", "/nnal/atb"] {
        none(&with_atb, &[("ATB_HOME_PATH", home)]);
    }
}

#[test]
fn libraries_in_the_wrong_order() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let driver = at("Ascend/driver/lib64/driver");
    let (stubs, first, second) = (at("a/devlib"), at("a/lib64"), at("b/lib64"));
    for toolkit in [&first, &second] {
        fs::write(Path::new(toolkit).join("libascendcl.so"), "").unwrap();
    }
    let path =
        |folders: &[&String]| folders.iter().map(|folder| folder.as_str()).collect::<Vec<_>>().join(":");
    let stubs_first = path(&[&stubs, &driver]);
    only(&deviceless(), &[("LD_LIBRARY_PATH", &stubs_first)], &["stub libraries", &stubs]);
    none(&sound(), &[("LD_LIBRARY_PATH", &stubs_first)]);
    none(&deviceless(), &[("LD_LIBRARY_PATH", &path(&[&driver, &stubs]))]);

    // The driver's libraries: named by the variable, or by the system's loader, or not at all.
    let elsewhere = |registered| {
        but(deviceless(), |machine| {
            machine.ascend.driver_is_registered = registered;
            machine.ascend.driver_home = folder.path().join("opt/driver");
        })
    };
    for folders in [first.clone(), String::new()] {
        let words = ["driver's libraries", "/opt/driver/bin/setenv.bash", "/opt/driver/lib64/common"];
        only(&elsewhere(false), &[("LD_LIBRARY_PATH", &folders)], &words);
        none(&elsewhere(true), &[("LD_LIBRARY_PATH", &folders)]);
    }
    for folders in [driver.clone(), at("opt/driver/lib64/driver")] {
        none(&elsewhere(false), &[("LD_LIBRARY_PATH", &folders)]);
    }
    none(
        &but(sound(), |machine| machine.ascend.driver_is_registered = false),
        &[("LD_LIBRARY_PATH", &first)],
    );

    let home = folder.path().join("a");
    let with = |folders: &str| {
        let toolkit = Toolkit { path: home.clone(), is_there: true, version: None };
        let environment = [
            ("LD_LIBRARY_PATH", folders),
            ("ASCEND_HOME_PATH", home.to_str().unwrap()),
            ("ASCEND_OPP_PATH", "/opp"),
        ];
        faults_of(&but(sound(), |machine| machine.ascend.toolkits = vec![toolkit]), &environment)
    };
    assert_eq!(with(&path(&[&driver, &first, &second])), [""; 0]);
    // Another folder of the same toolkit, by its name or through a link.
    let inner = at("a/x86_64-linux/lib64");
    fs::write(Path::new(&inner).join("libascendcl.so"), "").unwrap();
    std::os::unix::fs::symlink(&home, folder.path().join("link")).unwrap();
    for same in [inner, folder.path().join("link/lib64").display().to_string()] {
        assert_eq!(with(&path(&[&driver, &same])), [""; 0], "{same}");
    }
    let mixed = with(&path(&[&driver, &second, &first]));
    assert!(mixed.len() == 1 && mixed[0].contains("two toolkits are mixed"), "{mixed:?}");
}

#[test]
fn libraries_of_another_cxx_abi() {
    let folder = tempfile::tempdir().unwrap();
    let installation = |abi: u8| {
        let path = folder.path().join(format!("cxx_abi_{abi}"));
        fs::create_dir_all(path.join("lib")).unwrap();
        fs::write(path.join("lib/libatb.so"), "").unwrap();
        Atb { path, version: None, abi: Some(abi) }
    };
    let both = but(sound(), |machine| machine.ascend.atb = vec![installation(0), installation(1)]);
    let path = |abi: u8, rest: &str| format!("{}/cxx_abi_{abi}{rest}", folder.path().display());
    let sound_order = [("ATB_HOME_PATH", &*path(1, "")), ("LD_LIBRARY_PATH", &*path(1, "/lib"))];
    none(&both, &sound_order);
    let mixed = [("ATB_HOME_PATH", &*path(1, "")), ("LD_LIBRARY_PATH", &*path(0, "/lib"))];
    only(&both, &mixed, &["--cxx_abi", "cxx_abi_0/lib/libatb.so"]);
    let wrong = Atb { abi: Some(0), ..installation(1) };
    only(&but(both, |machine| machine.ascend.atb = vec![wrong]), &sound_order, &["C++ ABI 0, not the 1"]);
}
