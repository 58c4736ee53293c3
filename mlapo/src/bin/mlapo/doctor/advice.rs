//! What is wrong with an installation, and the remedy of each fault.

use std::path::{Path, PathBuf};

use super::ascend::{Ascend, Atb, NpuSmi};
use super::system::Environment;

/// The faults of an installation of Ascend by what was found of it, most important first. A machine where nothing of Ascend is
/// installed has none.
pub fn faults(ascend: &Ascend, environment: &Environment) -> Vec<String> {
    let checks = [driver, permissions, scripts, library_order, cxx_abi];
    checks.iter().flat_map(|check| check(ascend, environment)).collect()
}

fn driver(ascend: &Ascend, _: &Environment) -> Vec<String> {
    let mut faults = Vec::new();
    match (&ascend.driver, &ascend.firmware) {
        (Some(_), None) => faults.push(
            "the driver is installed but no firmware: install the firmware of the same release, and restart the machine"
                .to_owned(),
        ),
        (None, Some(_)) => faults.push(
            "the firmware is installed but no driver: install the driver of the same release; in a container, pass \
             /usr/local/Ascend/driver in"
                .to_owned(),
        ),
        _ => {}
    }
    if ascend.driver.is_some() && ascend.devices.is_empty() {
        faults.push(
            "the driver is installed but there is no /dev/davinci*: check with `lspci | grep -i d80` that a device is \
             fitted; in a container, pass the device files in (`docker run --device /dev/davinci0 ...`)"
                .to_owned(),
        );
    }
    if !ascend.missing_managing.is_empty() {
        faults.push(format!(
            "there are devices but no /dev/{}: in a container, pass these files in, too; else load the driver again",
            ascend.missing_managing.join(", /dev/")
        ));
    }
    match &ascend.npu_smi {
        NpuSmi::Fails(message) => faults.push(format!(
            "`npu-smi info` fails ({message}): the driver does not work; see `dmesg` and /var/log/ascend_seclog, and \
             compare the releases of driver and firmware"
        )),
        NpuSmi::Missing if !ascend.devices.is_empty() => faults.push(
            "there are devices but no `npu-smi`: it comes with the driver, in /usr/local/bin or /usr/local/sbin; in a \
             container, pass it in"
                .to_owned(),
        ),
        _ => {}
    }
    faults
}

fn permissions(ascend: &Ascend, _: &Environment) -> Vec<String> {
    let refused: Vec<String> = ascend
        .devices
        .iter()
        .chain(&ascend.managing)
        .filter(|node| !node.accessible)
        .map(|node| node.path.display().to_string())
        .collect();
    if refused.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "this user may not read and write {}: add it to their group (`sudo usermod -aG HwHiAiUser $USER`) and log in \
         again",
        refused.join(", ")
    )]
}

fn scripts(ascend: &Ascend, environment: &Environment) -> Vec<String> {
    let mut faults = Vec::new();
    let toolkit = ascend.toolkits.iter().find(|toolkit| toolkit.is_there);
    let home = environment.get("ASCEND_HOME_PATH").or_else(|| environment.get("ASCEND_TOOLKIT_HOME"));
    match (toolkit, &home) {
        (Some(toolkit), None) => faults.push(format!(
            "a toolkit is in {0}, but its environment is not set: `source {0}/set_env.sh`, or that beside it",
            toolkit.path.display()
        )),
        (_, Some(home)) if !Path::new(home).join("lib64").is_dir() => faults.push(format!(
            "ASCEND_HOME_PATH is {home}, where no toolkit is: `source` the set_env.sh of the one that is installed"
        )),
        (Some(_), Some(_)) if environment.get("ASCEND_OPP_PATH").is_none() => faults.push(
            "ASCEND_OPP_PATH is not set, so operators of the toolkit are not found: `source` the toolkit's set_env.sh \
             instead of setting variables by hand"
                .to_owned(),
        ),
        _ => {}
    }
    match (ascend.atb.first(), environment.get("ATB_HOME_PATH")) {
        (Some(atb), None) => faults.push(format!(
            "ATB is installed in {}, but its environment is not set: `source` its set_env.sh, after the toolkit's",
            atb.path.display()
        )),
        (_, Some(home)) if ascend.atb.iter().all(|atb| !atb.path.starts_with(&home)) => faults.push(format!(
            "ATB_HOME_PATH is {home}, where no ATB is: `source` the set_env.sh of the one that is installed"
        )),
        _ => {}
    }
    faults
}

/// The folders of `LD_LIBRARY_PATH`.
fn library_folders(environment: &Environment) -> Vec<PathBuf> {
    let path = environment.get("LD_LIBRARY_PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect()
}

fn library_order(ascend: &Ascend, environment: &Environment) -> Vec<String> {
    let mut faults = Vec::new();
    let folders = library_folders(environment);
    let position = |fits: &dyn Fn(&Path) -> bool| folders.iter().position(|folder| fits(folder));
    // Stubs to link against; a program that loads them has no device.
    let stubs = position(&|folder| folder.ends_with("devlib") || folder.ends_with("lib64/stub"));
    let driver = position(&|folder| folder.to_string_lossy().contains("Ascend/driver/lib64"));
    if let Some(stub) = stubs
        && driver.is_none_or(|driver| stub < driver)
    {
        faults.push(format!(
            "LD_LIBRARY_PATH has the stub libraries of {} before the driver's: take them out, they are for linking only",
            folders[stub].display()
        ));
    }
    if driver.is_none() && ascend.driver.is_some() && !folders.is_empty() {
        faults.push(
            "LD_LIBRARY_PATH has no folder of the driver: `source /usr/local/Ascend/driver/bin/setenv.bash`, or add \
             /usr/local/Ascend/driver/lib64/driver and /usr/local/Ascend/driver/lib64/common"
                .to_owned(),
        );
    }
    let home = environment.get("ASCEND_HOME_PATH").map(PathBuf::from);
    let is_toolkit =
        |folder: &Path| folder.join("libascendcl.so").exists() || folder.join("libacl_rt.so").exists();
    if let (Some(home), Some(first)) = (home, position(&is_toolkit)) {
        let same = folders[first].canonicalize().ok() == home.join("lib64").canonicalize().ok();
        if !same && stubs.is_none_or(|stub| stub != first) {
            faults.push(format!(
                "LD_LIBRARY_PATH finds the libraries of {} first, but ASCEND_HOME_PATH is {}: two toolkits are mixed; \
                 `source` one set_env.sh in a new shell",
                folders[first].display(),
                home.display()
            ));
        }
    }
    faults
}

fn cxx_abi(ascend: &Ascend, environment: &Environment) -> Vec<String> {
    let mut faults = Vec::new();
    let stated = |atb: &Atb| match atb.path.file_name()?.to_str()? {
        "cxx_abi_0" => Some(0),
        "cxx_abi_1" => Some(1),
        _ => None,
    };
    for atb in &ascend.atb {
        if let (Some(stated), Some(found)) = (stated(atb), atb.abi)
            && stated != found
        {
            faults.push(format!(
                "{}/lib/libatb.so has the C++ ABI {found}, not the {stated} of its folder: install ATB again",
                atb.path.display()
            ));
        }
    }
    let home = environment.get("ATB_HOME_PATH").map(PathBuf::from);
    let named = home.and_then(|home| ascend.atb.iter().find(|atb| atb.path == home));
    let loaded = library_folders(environment).into_iter().find(|folder| folder.join("libatb.so").exists());
    if let (Some(named), Some(loaded)) = (named, loaded)
        && loaded.canonicalize().ok() != named.path.join("lib").canonicalize().ok()
    {
        faults.push(format!(
            "LD_LIBRARY_PATH finds {}/libatb.so, but ATB_HOME_PATH is {}: a shim that was compiled for the one does not \
             load with the other; `source` ATB's set_env.sh with the `--cxx_abi` that you want, in a new shell",
            loaded.display(),
            named.path.display()
        ));
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::ascend::{Node, Toolkit};
    use super::*;

    /// A machine as it should be.
    fn sound() -> Ascend {
        let node = |path: &str| Node { path: path.into(), accessible: true };
        Ascend {
            toolkits: Vec::new(),
            driver: Some("Version=24.1".into()),
            firmware: Some("Version=7.1".into()),
            devices: vec![node("/dev/davinci0")],
            managing: ["davinci_manager", "devmm_svm", "hisi_hdc"]
                .map(|name| node(&format!("/dev/{name}")))
                .into(),
            missing_managing: Vec::new(),
            atb: Vec::new(),
            npu_smi: NpuSmi::Works,
        }
    }

    /// The only fault of a machine, which must have all of these words.
    fn only(ascend: &Ascend, environment: &[(&str, &str)], words: &[&str]) {
        let faults = faults(ascend, &Environment::of(environment));
        assert_eq!(faults.len(), 1, "{faults:#?}");
        for word in words {
            assert!(faults[0].contains(word), "{word}: {faults:?}");
        }
    }

    #[test]
    fn sound_machines_have_no_fault() {
        assert_eq!(faults(&sound(), &Environment::of(&[])), [""; 0]);
        let bare = Ascend {
            driver: None,
            firmware: None,
            devices: Vec::new(),
            managing: Vec::new(),
            npu_smi: NpuSmi::Missing,
            ..sound()
        };
        assert_eq!(faults(&bare, &Environment::of(&[])), [""; 0]);
    }

    #[test]
    fn driver_and_devices() {
        only(&Ascend { firmware: None, ..sound() }, &[], &["no firmware"]);
        only(&Ascend { driver: None, ..sound() }, &[], &["no driver", "container"]);
        only(&Ascend { devices: Vec::new(), ..sound() }, &[], &["no /dev/davinci*", "--device"]);
        let missing = vec!["devmm_svm".to_owned(), "hisi_hdc".to_owned()];
        only(&Ascend { missing_managing: missing, ..sound() }, &[], &["/dev/devmm_svm, /dev/hisi_hdc"]);
        only(&Ascend { npu_smi: NpuSmi::Missing, ..sound() }, &[], &["no `npu-smi`"]);
        only(
            &Ascend { npu_smi: NpuSmi::Fails("dcmi -8005".into()), ..sound() },
            &[],
            &["dcmi -8005", "dmesg"],
        );
        let refused = Node { path: "/dev/davinci0".into(), accessible: false };
        only(&Ascend { devices: vec![refused], ..sound() }, &[], &["/dev/davinci0", "HwHiAiUser"]);
    }

    #[test]
    fn scripts_that_were_not_sourced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_str().unwrap();
        fs::create_dir(home.path().join("lib64")).unwrap();
        let toolkit = Toolkit { path: path.into(), is_there: true, version: None };
        let with_toolkit = Ascend { toolkits: vec![toolkit], ..sound() };
        only(&with_toolkit, &[], &["set_env.sh", path]);
        only(&with_toolkit, &[("ASCEND_HOME_PATH", path)], &["ASCEND_OPP_PATH"]);
        let complete = [("ASCEND_HOME_PATH", path), ("ASCEND_OPP_PATH", "/opp")];
        assert_eq!(faults(&with_toolkit, &Environment::of(&complete)), [""; 0]);
        only(&sound(), &[("ASCEND_HOME_PATH", "/nowhere")], &["/nowhere", "no toolkit"]);

        let atb = Atb { path: "/nnal/atb/cxx_abi_1".into(), version: None, abi: Some(1) };
        let with_atb = Ascend { atb: vec![atb], ..sound() };
        only(&with_atb, &[], &["/nnal/atb/cxx_abi_1", "after the toolkit's"]);
        only(&with_atb, &[("ATB_HOME_PATH", "/elsewhere")], &["/elsewhere", "no ATB"]);
        for home in ["/nnal/atb/cxx_abi_1", "/nnal/atb"] {
            assert_eq!(faults(&with_atb, &Environment::of(&[("ATB_HOME_PATH", home)])), [""; 0]);
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
        only(&sound(), &[("LD_LIBRARY_PATH", &path(&[&stubs, &driver]))], &["stub libraries", &stubs]);
        assert_eq!(
            faults(&sound(), &Environment::of(&[("LD_LIBRARY_PATH", &path(&[&driver, &stubs]))])),
            [""; 0]
        );
        only(&sound(), &[("LD_LIBRARY_PATH", &first)], &["no folder of the driver", "setenv.bash"]);

        let home = folder.path().join("a");
        let with = |folders: &str| {
            let toolkit = Toolkit { path: home.clone(), is_there: true, version: None };
            let environment = [
                ("LD_LIBRARY_PATH", folders),
                ("ASCEND_HOME_PATH", home.to_str().unwrap()),
                ("ASCEND_OPP_PATH", "/opp"),
            ];
            faults(&Ascend { toolkits: vec![toolkit], ..sound() }, &Environment::of(&environment))
        };
        assert_eq!(with(&path(&[&driver, &first, &second])), [""; 0]);
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
        let both =
            Ascend { driver: None, firmware: None, atb: vec![installation(0), installation(1)], ..sound() };
        let path = |abi: u8, rest: &str| format!("{}/cxx_abi_{abi}{rest}", folder.path().display());
        let sound_order = [("ATB_HOME_PATH", &*path(1, "")), ("LD_LIBRARY_PATH", &*path(1, "/lib"))];
        assert_eq!(faults(&both, &Environment::of(&sound_order)), [""; 0]);
        let mixed = [("ATB_HOME_PATH", &*path(1, "")), ("LD_LIBRARY_PATH", &*path(0, "/lib"))];
        only(&both, &mixed, &["--cxx_abi", "cxx_abi_0/lib/libatb.so"]);
        let wrong = Ascend { atb: vec![Atb { abi: Some(0), ..installation(1) }], ..both };
        only(&wrong, &sound_order, &["C++ ABI 0, not the 1"]);
    }
}
