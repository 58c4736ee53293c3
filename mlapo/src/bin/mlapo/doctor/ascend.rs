//! What is installed of Ascend: driver, firmware, toolkits, ATB, device files, the tool that shows devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::Access;
use serde_json::{Value, json};

use super::system::{self, Environment};

/// Where an installer puts a toolkit, besides the places that environment variables name.
const TOOLKIT_PLACES: [&str; 3] =
    ["usr/local/Ascend/ascend-toolkit/latest", "usr/local/Ascend/latest", "usr/local/Ascend/cann"];
/// Where an installer puts ATB.
const ATB_PLACE: &str = "usr/local/Ascend/nnal/atb/latest/atb";
/// Written by the installers of driver and firmware.
const DRIVER_VERSION: &str = "usr/local/Ascend/driver/version.info";
const FIRMWARE_VERSION: &str = "usr/local/Ascend/firmware/version.info";
/// Device files that every program opens, besides its device's own.
const MANAGING_NODES: [&str; 3] = ["davinci_manager", "devmm_svm", "hisi_hdc"];
/// As long as `npu-smi info` may take: it hangs when the driver does.
const PATIENCE: Duration = Duration::from_secs(20);
/// What only a `libatb.so` of the newer C++ ABI exports, in the name of `atb::Utils::GetAtbVersion`.
const NEW_ABI_SYMBOL: &[u8] = b"GetAtbVersionB5cxx11Ev";
const OLD_ABI_SYMBOL: &[u8] = b"GetAtbVersionEv";

/// A place where a toolkit would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolkit {
    pub path: PathBuf,
    pub is_there: bool,
    pub version: Option<String>,
}

/// An installation of ATB for one C++ ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Atb {
    pub path: PathBuf,
    pub version: Option<String>,
    /// The C++ ABI of its `libatb.so` by what it exports; `None` if there is no such library.
    pub abi: Option<u8>,
}

/// A device file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub path: PathBuf,
    /// Whether this user may read and write it.
    pub accessible: bool,
}

/// What `npu-smi info` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NpuSmi {
    Missing,
    Works,
    /// With what it said.
    Fails(String),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ascend {
    pub toolkits: Vec<Toolkit>,
    pub driver: Option<String>,
    pub firmware: Option<String>,
    /// One for each NPU.
    pub devices: Vec<Node>,
    pub managing: Vec<Node>,
    /// Managing files that are not there; only told if there are devices.
    pub missing_managing: Vec<String>,
    /// What `ATB_HOME_PATH` names and what is in the installer's place.
    pub atb: Vec<Atb>,
    pub npu_smi: NpuSmi,
}

impl Ascend {
    /// Looks below `root`, which is `/` but in tests.
    pub fn find(root: &Path, environment: &Environment) -> Self {
        let dev = root.join("dev");
        let devices: Vec<Node> = system::device_nodes(&dev).into_iter().map(Node::of).collect();
        let (there, missing): (Vec<_>, Vec<_>) =
            MANAGING_NODES.into_iter().partition(|name| dev.join(name).exists());
        Self {
            toolkits: toolkits(root, environment),
            driver: system::first_version(&root.join(DRIVER_VERSION)),
            firmware: system::first_version(&root.join(FIRMWARE_VERSION)),
            managing: there.into_iter().map(|name| Node::of(dev.join(name))).collect(),
            missing_managing: match devices.is_empty() {
                true => Vec::new(),
                false => missing.into_iter().map(str::to_owned).collect(),
            },
            devices,
            atb: installations_of_atb(root, environment),
            npu_smi: npu_smi(environment),
        }
    }

    pub fn as_json(&self) -> Value {
        let node = |node: &Node| json!({ "path": node.path, "accessible": node.accessible });
        let atb = |atb: &Atb| json!({ "path": atb.path, "version": atb.version, "cxx_abi": atb.abi });
        let toolkit = |toolkit: &Toolkit| json!({ "path": toolkit.path, "found": toolkit.is_there, "version": toolkit.version });
        json!({
            "toolkits": self.toolkits.iter().map(toolkit).collect::<Vec<_>>(),
            "driver": { "version": self.driver, "firmware": self.firmware },
            "device_nodes": self.devices.iter().chain(&self.managing).map(node).collect::<Vec<_>>(),
            "atb": self.atb.iter().map(atb).collect::<Vec<_>>(),
            "npu_smi": match &self.npu_smi {
                NpuSmi::Missing => json!({ "found": false }),
                NpuSmi::Works => json!({ "found": true, "works": true }),
                NpuSmi::Fails(message) => json!({ "found": true, "works": false, "message": message }),
            },
        })
    }
}

impl Node {
    fn of(path: PathBuf) -> Self {
        let accessible = rustix::fs::access(&path, Access::READ_OK | Access::WRITE_OK).is_ok();
        Self { path, accessible }
    }
}

fn toolkits(root: &Path, environment: &Environment) -> Vec<Toolkit> {
    let homes = ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"];
    let named = homes.into_iter().filter_map(|name| environment.get(name)).map(PathBuf::from);
    let own = environment.get("HOME").map(|home| Path::new(&home).join("Ascend/ascend-toolkit/latest"));
    let mut places: Vec<PathBuf> = Vec::new();
    for place in named.chain(TOOLKIT_PLACES.map(|place| root.join(place))).chain(own) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let toolkit = |path: PathBuf| Toolkit {
        is_there: path.join("lib64").is_dir(),
        version: system::toolkit_version(&path),
        path,
    };
    places.into_iter().map(toolkit).collect()
}

/// `ATB_HOME_PATH` names the installation for one C++ ABI, or the folder of both.
fn installations_of_atb(root: &Path, environment: &Environment) -> Vec<Atb> {
    let mut found: Vec<Atb> = Vec::new();
    let named = environment.get("ATB_HOME_PATH").map(PathBuf::from);
    for place in named.into_iter().chain([root.join(ATB_PLACE)]) {
        for path in [place.join("cxx_abi_0"), place.join("cxx_abi_1"), place] {
            let is_there = path.join("include/atb").is_dir() || path.join("lib/libatb.so").exists();
            if is_there && found.iter().all(|known| known.path != path) {
                let versions = [path.join("../../version.info"), path.join("../version.info")];
                found.push(Atb {
                    version: versions.iter().find_map(|file| system::first_version(file)),
                    abi: abi_of_library(&path.join("lib/libatb.so")),
                    path,
                });
            }
        }
    }
    found
}

fn abi_of_library(path: &Path) -> Option<u8> {
    let bytes = fs::read(path).ok()?;
    let has = |symbol: &[u8]| bytes.windows(symbol.len()).any(|window| window == symbol);
    match (has(NEW_ABI_SYMBOL), has(OLD_ABI_SYMBOL)) {
        (true, _) => Some(1),
        (false, true) => Some(0),
        (false, false) => None,
    }
}

fn npu_smi(environment: &Environment) -> NpuSmi {
    let path = environment.get("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/local/bin", "/usr/local/sbin"].map(PathBuf::from));
    let Some(program) = folders.map(|folder| folder.join("npu-smi")).find(|program| program.is_file()) else {
        return NpuSmi::Missing;
    };
    match run(&program, PATIENCE) {
        Ok(()) => NpuSmi::Works,
        Err(message) => NpuSmi::Fails(message),
    }
}

/// Runs `npu-smi info`; on failure, the last line of what it said.
fn run(program: &Path, patience: Duration) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut child = Command::new(program)
        .arg("info")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let started = Instant::now();
    while child.try_wait().map_err(failed)?.is_none() {
        if started.elapsed() > patience {
            // A child that cannot be ended is left to itself.
            let _ = child.kill();
            return Err(format!("no answer in {} s", patience.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stderr, output.stdout].map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    let said = text.iter().find(|text| !text.is_empty()).and_then(|text| text.lines().last());
    Err(said.map_or_else(|| output.status.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_machine_is_read_from_its_files() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let empty = Ascend::find(root.path(), &Environment::of(&[]));
        assert!(empty.toolkits.iter().all(|toolkit| !toolkit.is_there));
        assert_eq!((empty.driver, empty.firmware, empty.npu_smi), (None, None, NpuSmi::Missing));
        assert!(empty.devices.is_empty() && empty.missing_managing.is_empty() && empty.atb.is_empty());

        write(&at("usr/local/Ascend/driver/version.info"), "Version=24.1.rc1\n");
        write(&at("usr/local/Ascend/firmware/version.info"), "Version=7.1.0\n");
        fs::create_dir_all(at("usr/local/Ascend/latest/lib64")).unwrap();
        write(&at("usr/local/Ascend/latest/version.cfg"), "# a comment\nruntime_running_version=[8.1.RC1]\n");
        write(&at("dev/davinci0"), "");
        write(&at("dev/davinci_manager"), "");
        write(
            &at("usr/local/Ascend/nnal/atb/latest/atb/cxx_abi_1/lib/libatb.so"),
            "..GetAtbVersionB5cxx11Ev..",
        );
        write(
            &at("usr/local/Ascend/nnal/atb/latest/atb/cxx_abi_0/lib/libatb.so"),
            "_ZN3atb5Utils13GetAtbVersionEv",
        );
        write(
            &at("usr/local/Ascend/nnal/atb/latest/version.info"),
            "Ascend-cann-atb : 8.1.RC1\nVersion=8.1.RC1\n",
        );
        let found = Ascend::find(root.path(), &Environment::of(&[]));
        assert_eq!(found.driver.as_deref(), Some("Version=24.1.rc1"));
        assert_eq!(found.firmware.as_deref(), Some("Version=7.1.0"));
        let toolkit = found.toolkits.iter().find(|toolkit| toolkit.is_there).unwrap();
        assert_eq!(toolkit.path, at("usr/local/Ascend/latest"));
        assert!(toolkit.version.as_ref().unwrap().contains("8.1.RC1"));
        assert_eq!(found.devices, [Node { path: at("dev/davinci0"), accessible: true }]);
        assert_eq!(found.managing.len(), 1);
        assert_eq!(found.missing_managing, ["devmm_svm", "hisi_hdc"]);
        let atb: Vec<_> = found.atb.iter().map(|atb| (atb.abi, atb.version.as_deref())).collect();
        assert_eq!(atb, [(Some(0), Some("Version=8.1.RC1")), (Some(1), Some("Version=8.1.RC1"))]);
    }

    #[test]
    fn npu_smi_is_run_and_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("npu-smi");
        let with = |script: &str| {
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            npu_smi(&Environment::of(&[("PATH", folder.path().to_str().unwrap())]))
        };
        assert_eq!(with("[ \"$1\" = info ]"), NpuSmi::Works);
        let failed = with("echo starting; echo 'DrvMngGetConsoleLogLevel failed' >&2; exit 3");
        assert_eq!(failed, NpuSmi::Fails("DrvMngGetConsoleLogLevel failed".into()));
        assert_eq!(with("exit 3"), NpuSmi::Fails("exit status: 3".into()));
        fs::write(&program, "#!/bin/sh\nsleep 30\n").unwrap();
        let error = run(&program, Duration::from_millis(100)).unwrap_err();
        assert!(error.starts_with("no answer in"), "{error}");
    }
}
