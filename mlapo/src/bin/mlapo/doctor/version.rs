//! Versions as the files of an installation state them.

use std::path::Path;
use std::{env, fs};

/// Under a toolkit, `{arch}` being the host's: where it states the version of its runtime, newer toolkits first. `cargo
/// xtask build-kernels` reads the same files.
const VERSION_FILES: [&str; 5] = [
    "share/info/runtime/version.info",
    "{arch}-linux/share/info/runtime/version.info",
    "runtime/version.info",
    "share/info/asc-devkit/version.info",
    "compiler/version.info",
];
/// Where it states its release.
const RELEASE_FILES: [&str; 2] = ["{arch}-linux/ascend_toolkit_install.info", "ascend_toolkit_install.info"];
/// Where toolkits up to 8.x state both.
const CONFIGURATION: &str = "version.cfg";

/// The release of a toolkit and, where that is counted otherwise, the version of its runtime: `8.1.RC1 (runtime
/// 7.7.0.1.238)`.
pub fn toolkit(home: &Path) -> Option<String> {
    let under = |file: &str| home.join(file.replace("{arch}", env::consts::ARCH));
    let first = |files: &[&str]| files.iter().find_map(|file| fs::read_to_string(under(file)).ok());
    // Up to 8.x `version_dir` is the release, and `Version` counts the package. Since 9.0 it is the folder's name, which all
    // releases share, and `Version` is the release.
    let is_release = |text: &&str| text.starts_with(|first: char| first.is_ascii_digit());
    let versions = first(&VERSION_FILES).unwrap_or_default();
    let releases = first(&RELEASE_FILES).unwrap_or_default();
    let configuration = fs::read_to_string(home.join(CONFIGURATION)).unwrap_or_default();
    let both = value_of(&configuration, "runtime_running_version").map(|both| both.trim_matches(['[', ']']));
    let (configured_runtime, configured_release) = match both {
        Some(both) => both.split_once(':').map_or((None, Some(both)), |(a, b)| (Some(a), Some(b))),
        None => (None, None),
    };
    let runtime = value_of(&versions, "Version").or(configured_runtime);
    let release = value_of(&versions, "version_dir")
        .filter(is_release)
        .or_else(|| value_of(&releases, "version").filter(is_release))
        .or(configured_release)
        .or(runtime)?;
    Some(match runtime.filter(|runtime| *runtime != release) {
        Some(runtime) => format!("{release} (runtime {runtime})"),
        None => release.to_owned(),
    })
}

/// What a package states in its `version.info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub version: String,
    /// The versions of its counterpart (the driver's firmware, the firmware's driver) that it says it works with, each from
    /// the first to the last.
    pub counterparts: Vec<(String, String)>,
}

impl Package {
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let version = value_of(&text, "Version").or_else(|| any_version(&text))?.to_owned();
        let ranges =
            ["compatible_version_fw", "compatible_version_drv"].iter().find_map(|key| value_of(&text, key));
        let range = |text: &str| {
            let (first, last) = text.split_once(']')?.0.split_once(',')?;
            Some((first.trim().to_owned(), last.trim().to_owned()))
        };
        let counterparts = ranges.unwrap_or_default().split('[').filter_map(range).collect();
        Some(Self { version, counterparts })
    }
}

/// Whether driver and firmware work with each other by what they state; `None` if neither states it. The older of the two
/// cannot know the newer one, so that it is enough if one of them names the other.
pub fn belong_together(driver: &Package, firmware: &Package) -> Option<bool> {
    if driver.counterparts.is_empty() && firmware.counterparts.is_empty() {
        return None;
    }
    let names =
        |package: &Package, version: &str| package.counterparts.iter().any(|range| is_in(version, range));
    Some(names(driver, &firmware.version) || names(firmware, &driver.version))
}

/// The last version of a range includes whatever is counted below it: `24.1.` ends with `24.1.rc3`, too.
fn is_in(version: &str, (first, last): &(String, String)) -> bool {
    let [version, first, last] = [version, first, last.trim_end_matches('.')].map(parts);
    version >= first && (version <= last || version.starts_with(&last))
}

/// A part of a version: candidates (`rc3`) come before what is released.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Named(String, u64),
    Number(u64),
}

fn parts(version: &str) -> Vec<Part> {
    let part = |text: &str| {
        let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = text[name.len()..].parse().unwrap_or(0);
        match name {
            "" => Part::Number(number),
            name => Part::Named(name.to_ascii_lowercase(), number),
        }
    };
    version.split('.').map(part).collect()
}

/// The value of a key in lines of `key=value`.
pub fn value_of<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim().trim_matches('"'))
        .filter(|value| !value.is_empty())
}

/// The value of the first line that says a version in other words (`package_version=...`, `... Version : ...`).
fn any_version(text: &str) -> Option<&str> {
    fn value(line: &str) -> Option<&str> {
        let (key, value) = line.split_once(['=', ':'])?;
        let value = value.trim();
        (key.to_ascii_lowercase().contains("version") && !value.is_empty()).then_some(value)
    }
    text.lines().map(str::trim).filter(|line| !line.starts_with('#')).find_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toolkit_of(files: &[(&str, &str)]) -> Option<String> {
        let home = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = home.path().join(file.replace("{arch}", env::consts::ARCH));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        toolkit(home.path())
    }

    #[test]
    fn every_generation_of_toolkits_states_its_release() {
        assert_eq!(toolkit_of(&[]), None);
        // 8.x: the first line of version.cfg is a comment with the word `version`.
        let configuration =
            "# version: 1.0\nruntime_running_version=[7.6.0.1.220:8.0.0]\nopp_running_version=[1:2]\n";
        let expected = Some("8.0.0 (runtime 7.6.0.1.220)".to_owned());
        assert_eq!(toolkit_of(&[("version.cfg", configuration)]), expected);
        let version = "Version=7.6.0.1.220\nversion_dir=8.0.0\ntimestamp=1\n";
        assert_eq!(
            toolkit_of(&[("version.cfg", configuration), ("runtime/version.info", version)]),
            expected
        );
        assert_eq!(toolkit_of(&[("compiler/version.info", version)]), expected);
        // 8.5: the folder's name is no release.
        let files = [
            ("share/info/runtime/version.info", "Version=8.5.0.1.200\nversion_dir=cann-8.5.0\n"),
            ("{arch}-linux/ascend_toolkit_install.info", "package_name=Ascend-cann-toolkit\nversion=8.5.0\n"),
        ];
        assert_eq!(toolkit_of(&files).as_deref(), Some("8.5.0 (runtime 8.5.0.1.200)"));
        assert_eq!(toolkit_of(&files[1..]).as_deref(), Some("8.5.0"));
        // 9: `Version` is the release.
        let files = [("share/info/runtime/version.info", "Version=9.1.0\nversion_dir=cann\n")];
        assert_eq!(toolkit_of(&files).as_deref(), Some("9.1.0"));
        assert_eq!(toolkit_of(&[("version.cfg", "# version: 1.0\n")]), None);
    }

    fn package(text: &str) -> Option<Package> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Package::read(file.path())
    }

    #[test]
    fn packages_state_their_version() {
        let version = |text: &str| package(text).map(|package| package.version);
        assert_eq!(version("Version=25.0.rc1.1\nascendhal_version=7.35.23\n").as_deref(), Some("25.0.rc1.1"));
        assert_eq!(version("ascendhal_version=7.35.23\nVersion=24.1\n").as_deref(), Some("24.1"));
        assert_eq!(version("# version: 1.0\npackage_version=24.1.rc3\n").as_deref(), Some("24.1.rc3"));
        assert_eq!(
            version("Ascend-cann-atb : 8.1\nAscend-cann-atb Version : 8.1.B1\n").as_deref(),
            Some("8.1.B1")
        );
        assert_eq!(version("# version: 1.0\nversion=\n"), None);
    }

    #[test]
    fn driver_and_firmware_are_compared_by_what_they_state() {
        let together = |driver: &str, firmwares: &str, firmware: &str, drivers: &str| {
            belong_together(
                &package(&format!("Version={driver}\n{firmwares}\n")).unwrap(),
                &package(&format!("Version={firmware}\n{drivers}\n")).unwrap(),
            )
        };
        let firmwares = "compatible_version_fw=[6.4.0,6.4.99],[7.0.0,7.7.99]";
        let drivers = "compatible_version_drv=[23.0.rc3,23.0.rc3.],[24.1,24.1.],[25.0,25.0.]";
        assert_eq!(together("25.0.rc1.1", firmwares, "7.7.0.1.231", drivers), Some(true));
        // The firmware does not know this driver, which is newer and knows the firmware.
        assert_eq!(together("25.5.0", firmwares, "7.7.0.1.231", drivers), Some(true));
        // The driver does not know this firmware, which is newer and knows the driver.
        for driver in ["24.1", "24.1.rc3", "24.1.0.3", "25.0.1", "23.0.rc3.2"] {
            assert_eq!(together(driver, firmwares, "7.8.0.1", drivers), Some(true), "{driver}");
        }
        for driver in ["23.0.rc2", "23.0.rc4", "23.0.0", "24.0.1", "24.10", "25.1.rc1"] {
            assert_eq!(together(driver, firmwares, "7.8.0.1", drivers), Some(false), "{driver}");
        }
        assert_eq!(together("22.0", firmwares, "6.5.0", drivers), Some(false));
        assert_eq!(together("22.0", firmwares, "6.4.10.1", ""), Some(true));
        assert_eq!(together("22.0", "", "6.4.10.1", "compatible_version_drv=nothing to read"), None);
    }
}
