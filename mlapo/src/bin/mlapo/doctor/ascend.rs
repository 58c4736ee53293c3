//! What is installed of Ascend: driver, firmware, toolkits, ATB, device files, the tool that shows devices.

use std::path::{Path, PathBuf};
use std::{env, fs};

use rustix::fs::Access;
use serde_json::{Value, json};

use super::system::{self, Environment};
use super::version::{self, Package};

/// Where an installer puts a toolkit, below `usr/local` or, for a user alone, at home; besides the places that environment
/// variables name.
const TOOLKIT_PLACES: [&str; 3] = ["Ascend/ascend-toolkit/latest", "Ascend/latest", "Ascend/cann"];
/// Under a toolkit, `{arch}` being the host's: where its libraries are.
const LIBRARY_FOLDERS: [&str; 2] = ["lib64", "{arch}-linux/lib64"];
/// Where an installer puts ATB.
const ATB_PLACE: &str = "usr/local/Ascend/nnal/atb/latest/atb";
/// Where the installers of driver and firmware write down where they have installed them ...
const INSTALL_INFO: &str = "etc/ascend_install.info";
/// ... if not here.
const DEFAULT_INSTALL: &str = "/usr/local/Ascend";
/// By which the driver's installer tells the system's loader of its libraries.
const LOADER_CONFIGURATION: &str = "etc/ld.so.conf.d/ascend_driver_so.conf";
/// Device files that every program opens, besides its device's own.
const MANAGING_NODES: [&str; 3] = ["davinci_manager", "devmm_svm", "hisi_hdc"];
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
    /// Whether the file's permissions let this user read and write it. A container may be refused nonetheless.
    pub accessible: bool,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ascend {
    pub toolkits: Vec<Toolkit>,
    /// The driver's folder, whether or not it is there.
    pub driver_home: PathBuf,
    pub driver: Option<Package>,
    pub firmware: Option<Package>,
    /// Whether the system's loader is told of the driver's libraries.
    pub driver_is_registered: bool,
    /// One for each NPU.
    pub devices: Vec<Node>,
    pub managing: Vec<Node>,
    /// Managing files that are not there; only told if there are devices.
    pub missing_managing: Vec<String>,
    /// What `ATB_HOME_PATH` names and what is in the installer's place.
    pub atb: Vec<Atb>,
}

impl Ascend {
    /// Looks below `root`, which is `/` but in tests.
    pub fn find(root: &Path, environment: &Environment) -> Self {
        let dev = root.join("dev");
        let devices: Vec<Node> = system::device_nodes(&dev).into_iter().map(Node::of).collect();
        let (there, missing): (Vec<_>, Vec<_>) =
            MANAGING_NODES.into_iter().partition(|name| dev.join(name).exists());
        let install_info = fs::read_to_string(root.join(INSTALL_INFO)).unwrap_or_default();
        let driver_home = installed(root, &install_info, "Driver_Install_Path_Param").join("driver");
        let firmware_home = installed(root, &install_info, "Firmware_Install_Path_Param").join("firmware");
        Self {
            toolkits: toolkits(root, environment),
            driver: Package::read(&driver_home.join("version.info")),
            firmware: Package::read(&firmware_home.join("version.info")),
            driver_is_registered: is_registered(&root.join(LOADER_CONFIGURATION)),
            driver_home,
            managing: there.into_iter().map(|name| Node::of(dev.join(name))).collect(),
            missing_managing: match devices.is_empty() {
                true => Vec::new(),
                false => missing.into_iter().map(str::to_owned).collect(),
            },
            devices,
            atb: installations_of_atb(root, environment),
        }
    }

    pub fn as_json(&self) -> Value {
        let node = |node: &Node| json!({ "path": node.path, "accessible": node.accessible });
        let atb = |atb: &Atb| json!({ "path": atb.path, "version": atb.version, "cxx_abi": atb.abi });
        let toolkit = |toolkit: &Toolkit| json!({ "path": toolkit.path, "found": toolkit.is_there, "version": toolkit.version });
        json!({
            "toolkits": self.toolkits.iter().map(toolkit).collect::<Vec<_>>(),
            "driver": {
                "path": self.driver_home,
                "version": self.driver.as_ref().map(|driver| &driver.version),
                "firmware": self.firmware.as_ref().map(|firmware| &firmware.version),
                "registered": self.driver_is_registered,
            },
            "device_nodes": self.devices.iter().chain(&self.managing).map(node).collect::<Vec<_>>(),
            "atb": self.atb.iter().map(atb).collect::<Vec<_>>(),
        })
    }
}

impl Node {
    fn of(path: PathBuf) -> Self {
        let accessible = rustix::fs::access(&path, Access::READ_OK | Access::WRITE_OK).is_ok();
        Self { path, accessible }
    }
}

/// The files that a program opens on a machine with NPUs.
pub fn nodes(root: &Path) -> Vec<PathBuf> {
    let dev = root.join("dev");
    let managing = MANAGING_NODES.map(|name| dev.join(name)).into_iter().filter(|path| path.exists());
    system::device_nodes(&dev).into_iter().chain(managing).collect()
}

/// Where a package is by what installers have written down.
fn installed(root: &Path, install_info: &str, key: &str) -> PathBuf {
    let line = |line: &'_ str| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case(key) && value.starts_with('/')).then(|| value.to_owned())
    };
    let place = install_info.lines().find_map(line).unwrap_or_else(|| DEFAULT_INSTALL.to_owned());
    root.join(place.trim_matches('/'))
}

/// Only the administrator may read the file; that it is there says enough then.
fn is_registered(configuration: &Path) -> bool {
    match fs::read_to_string(configuration) {
        Ok(text) => text.contains("driver/lib64"),
        Err(_) => configuration.exists(),
    }
}

fn toolkits(root: &Path, environment: &Environment) -> Vec<Toolkit> {
    let homes = ["ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME"];
    let named = homes.into_iter().filter_map(|name| environment.get(name)).map(PathBuf::from);
    let roots = [Some(root.join("usr/local")), environment.get("HOME").map(PathBuf::from)];
    let usual = roots.into_iter().flatten().flat_map(|root| TOOLKIT_PLACES.map(|place| root.join(place)));
    let mut places: Vec<PathBuf> = Vec::new();
    for place in named.chain(usual) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let toolkit =
        |path: PathBuf| Toolkit { is_there: is_toolkit(&path), version: version::toolkit(&path), path };
    places.into_iter().map(toolkit).collect()
}

/// Whether a toolkit is in a folder.
pub fn is_toolkit(home: &Path) -> bool {
    LIBRARY_FOLDERS.iter().any(|folder| home.join(folder.replace("{arch}", env::consts::ARCH)).is_dir())
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
                    version: versions
                        .iter()
                        .find_map(|file| Package::read(file))
                        .map(|package| package.version),
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

#[cfg(test)]
mod tests {
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
        assert_eq!((empty.driver, empty.firmware, empty.driver_is_registered), (None, None, false));
        assert_eq!(empty.driver_home, at("usr/local/Ascend/driver"));
        assert!(empty.devices.is_empty() && empty.missing_managing.is_empty() && empty.atb.is_empty());

        write(&at("usr/local/Ascend/driver/version.info"), "Version=24.1.rc1\n");
        write(&at("usr/local/Ascend/firmware/version.info"), "Version=7.1.0\n");
        fs::create_dir_all(at("usr/local/Ascend/latest/lib64")).unwrap();
        write(
            &at("usr/local/Ascend/latest/version.cfg"),
            "# version: 1.0\nruntime_running_version=[7.7.0.1.238:8.1.RC1]\n",
        );
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
        assert_eq!(found.driver.unwrap().version, "24.1.rc1");
        assert_eq!(found.firmware.unwrap().version, "7.1.0");
        let toolkit = found.toolkits.iter().find(|toolkit| toolkit.is_there).unwrap();
        assert_eq!(toolkit.path, at("usr/local/Ascend/latest"));
        assert_eq!(toolkit.version.as_deref(), Some("8.1.RC1 (runtime 7.7.0.1.238)"));
        assert_eq!(found.devices, [Node { path: at("dev/davinci0"), accessible: true }]);
        assert_eq!(found.managing.len(), 1);
        assert_eq!(found.missing_managing, ["devmm_svm", "hisi_hdc"]);
        let atb: Vec<_> = found.atb.iter().map(|atb| (atb.abi, atb.version.as_deref())).collect();
        assert_eq!(atb, [(Some(0), Some("8.1.RC1")), (Some(1), Some("8.1.RC1"))]);
        assert_eq!(nodes(root.path()), ["davinci0", "davinci_manager"].map(|name| at("dev").join(name)));
    }

    #[test]
    fn the_driver_is_where_its_installer_says() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        write(
            &at("etc/ascend_install.info"),
            "UserName=HwHiAiUser\nDriver_Install_Path_Param=/opt/Ascend/\nFirmware_Install_Path_Param=/srv/npu\n",
        );
        write(
            &at("opt/Ascend/driver/version.info"),
            "Version=25.2.0\ncompatible_version_fw=[7.0.0,7.8.99]\n",
        );
        write(&at("srv/npu/firmware/version.info"), "Version=7.8.0.1\n");
        let found = Ascend::find(root.path(), &Environment::of(&[]));
        assert_eq!(found.driver_home, at("opt/Ascend/driver"));
        let expected =
            Package { version: "25.2.0".into(), counterparts: vec![("7.0.0".into(), "7.8.99".into())] };
        assert_eq!((found.driver, found.firmware.unwrap().version), (Some(expected), "7.8.0.1".into()));
        assert!(!found.driver_is_registered);

        write(&at("etc/ld.so.conf.d/ascend_driver_so.conf"), "/somewhere/else\n");
        assert!(!Ascend::find(root.path(), &Environment::of(&[])).driver_is_registered);
        write(&at("etc/ld.so.conf.d/ascend_driver_so.conf"), "/opt/Ascend/driver/lib64/driver\n");
        assert!(Ascend::find(root.path(), &Environment::of(&[])).driver_is_registered);
    }
}
