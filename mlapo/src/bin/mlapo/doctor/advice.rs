//! What is wrong with an installation, and the remedy of each fault.

use std::path::{Path, PathBuf};

use super::ascend::{Ascend, Atb, is_toolkit};
use super::kernels;
use super::npu_smi::NpuSmi;
use super::probe::{Broken, Npu, Refused};
use super::system::Environment;
use super::version::belong_together;

/// What faults are judged by.
pub struct Evidence<'a> {
    pub ascend: &'a Ascend,
    pub npu_smi: &'a NpuSmi,
    pub environment: &'a Environment,
    pub npu: &'a Npu,
    pub refused: &'a Refused,
}

/// The faults of an installation of Ascend by what was found of it, most important first. A machine where nothing of Ascend is
/// installed has none. What is only unusual, as in many a container, is no fault where every device opens.
pub fn faults(evidence: &Evidence<'_>) -> Vec<String> {
    let checks = [native_code, driver, nodes, visible_devices, scripts, library_order, cxx_abi, fused_kernel];
    checks.iter().flat_map(|check| check(evidence)).collect()
}

fn native_code(evidence: &Evidence<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    match &evidence.npu.broken {
        None => {}
        Some(broken @ Broken::Hung { .. }) => faults.push(format!(
            "the AscendCL library {broken}: the driver or a device hangs; see `dmesg`, end the other programs that use \
             the device, reset it or restart the machine; if it is only slow, give `--time-limit` more seconds"
        )),
        Some(broken @ (Broken::Crashed { .. } | Broken::Ended { .. })) => faults.push(format!(
            "the AscendCL library {broken}: toolkit and driver may be of releases that do not belong together, or \
             libraries of two toolkits are mixed; `source` one set_env.sh in a new shell, and see `dmesg` and \
             ~/ascend/log"
        )),
        Some(broken @ Broken::NotStarted(_)) => {
            faults.push(format!("the AscendCL library was not tried: {broken}"));
        }
    }
    for device in &evidence.npu.devices.found {
        if let Err(error) = &device.properties {
            faults.push(format!(
                "device {} does not open ({error}): see `npu-smi info` for its health and for other programs on it; \
                 docs/troubleshooting.md has the codes",
                device.id
            ));
        }
    }
    faults
}

fn driver(evidence: &Evidence<'_>) -> Vec<String> {
    let Evidence { ascend, npu_smi, .. } = evidence;
    let mut faults = Vec::new();
    match npu_smi {
        NpuSmi::Fails(message) => faults.push(format!(
            "`npu-smi info` fails ({message}): the driver does not work; see `dmesg` and /var/log/ascend_seclog, and \
             compare the releases of driver and firmware"
        )),
        NpuSmi::Works(ailing) => faults.extend(ailing.iter().map(|ailing| {
            format!(
                "`npu-smi info` says {} of NPU {npu}: `npu-smi info -t health -i {npu}` says more; take another one, or \
                 reset it",
                ailing.health,
                npu = ailing.npu
            )
        })),
        NpuSmi::Missing => {}
    }
    if let (Some(driver), Some(firmware)) = (&ascend.driver, &ascend.firmware)
        && belong_together(driver, firmware) == Some(false)
    {
        faults.push(format!(
            "neither the driver {} nor the firmware {} names the other as compatible: install both of one release, and \
             restart the machine",
            driver.version, firmware.version
        ));
    }
    if evidence.npu.works() {
        return faults;
    }
    match (&ascend.driver, &ascend.firmware) {
        (Some(_), None) => faults.push(
            "the driver is installed but no firmware is found: install the firmware of the same release, and restart the \
             machine; in a container this is usual, look at the machine then"
                .to_owned(),
        ),
        (None, Some(_)) => faults.push(format!(
            "the firmware is installed but no driver: install the driver of the same release; in a container, pass {} \
             in",
            ascend.driver_home.display()
        )),
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
    if **npu_smi == NpuSmi::Missing && !ascend.devices.is_empty() {
        faults.push(
            "there are devices but no `npu-smi`: it comes with the driver, in /usr/local/bin or /usr/local/sbin; in a \
             container, pass it in"
                .to_owned(),
        );
    }
    faults
}

fn nodes(evidence: &Evidence<'_>) -> Vec<String> {
    if evidence.npu.works() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let all = evidence.ascend.devices.iter().chain(&evidence.ascend.managing);
    let forbidden: Vec<&PathBuf> = all.filter(|node| !node.accessible).map(|node| &node.path).collect();
    let list = |paths: &[&PathBuf]| {
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    };
    if !forbidden.is_empty() {
        faults.push(format!(
            "this user may not read and write {}: add it to their group (`sudo usermod -aG HwHiAiUser $USER`) and log in \
             again",
            list(&forbidden)
        ));
    }
    if let Some(broken) = &evidence.refused.broken {
        faults.push(format!(
            "the device files cannot be tried: the process {broken}; if that was the driver, see `dmesg`, and restart the \
             machine"
        ));
    }
    // Permissions are not all that a container needs.
    let others = || evidence.refused.nodes.iter().filter(|node| !forbidden.contains(&&node.path));
    if let Some(error) = others().find_map(|node| node.error.as_ref()) {
        faults.push(format!(
            "{} cannot be opened ({error}), though permissions allow it: in a container, name each file with `docker run \
             --device`, a mounted /dev is not enough; else the driver refuses",
            list(&others().map(|node| &node.path).collect::<Vec<_>>())
        ));
    }
    faults
}

/// `ASCEND_RT_VISIBLE_DEVICES` is read up to the first thing that is not the number of a device (CANN docs: environment
/// variables).
fn visible_devices(evidence: &Evidence<'_>) -> Vec<String> {
    let Some(text) = evidence.environment.get("ASCEND_RT_VISIBLE_DEVICES") else { return Vec::new() };
    let names = || text.trim_end_matches(',').split(',');
    let named = names().count();
    let visible = evidence.npu.devices.found.len();
    if visible >= named {
        return Vec::new();
    }
    let files = evidence.ascend.devices.len();
    let mut last = None;
    let is_read = |id: &&str| {
        let digits = id.bytes().all(|byte| byte.is_ascii_digit());
        let id =
            id.parse::<usize>().ok().filter(|id| digits && (files == 0 || *id < files) && last < Some(*id));
        last = id.or(last);
        id.is_some()
    };
    let read: Vec<&str> = names().take_while(is_read).collect();
    if read.len() < named {
        let read = if read.is_empty() { "nothing".to_owned() } else { format!("only `{}`", read.join(",")) };
        let range = match files {
            0 => String::new(),
            files => format!(" from 0 to {}", files - 1),
        };
        return vec![format!(
            "ASCEND_RT_VISIBLE_DEVICES is `{text}`, of which {read} counts: it takes numbers of devices{range} in ascending \
             order, with commas and no spaces between them"
        )];
    }
    if evidence.npu.broken.is_some() || !matches!(evidence.npu.library, Some(Ok(_))) {
        return Vec::new();
    }
    vec![format!(
        "ASCEND_RT_VISIBLE_DEVICES is `{text}`, and {visible} of these devices can be seen: unset it to find out whether it \
         hides the others"
    )]
}

fn scripts(evidence: &Evidence<'_>) -> Vec<String> {
    let Evidence { ascend, environment, .. } = evidence;
    let mut faults = Vec::new();
    let toolkit = ascend.toolkits.iter().find(|toolkit| toolkit.is_there);
    let home = environment.get("ASCEND_HOME_PATH").or_else(|| environment.get("ASCEND_TOOLKIT_HOME"));
    match (toolkit, &home) {
        (Some(toolkit), None) => faults.push(format!(
            "a toolkit is in {0}, but its environment is not set: `source {0}/set_env.sh`, or that beside it",
            toolkit.path.display()
        )),
        (_, Some(home)) if !is_toolkit(Path::new(home)) => faults.push(format!(
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

fn library_order(evidence: &Evidence<'_>) -> Vec<String> {
    let Evidence { ascend, environment, .. } = evidence;
    let works = evidence.npu.works();
    let mut faults = Vec::new();
    let folders = library_folders(environment);
    let position = |fits: &dyn Fn(&Path) -> bool| folders.iter().position(|folder| fits(folder));
    // Stubs to link against; a program that loads them has no device.
    let stubs = position(&|folder| folder.ends_with("devlib") || folder.ends_with("lib64/stub"));
    let libraries = ascend.driver_home.join("lib64");
    let driver = position(&|folder| {
        folder.starts_with(&libraries) || folder.to_string_lossy().contains("Ascend/driver/lib64")
    });
    if let Some(stub) = stubs
        && !works
        && driver.is_none_or(|driver| stub < driver)
    {
        faults.push(format!(
            "LD_LIBRARY_PATH has the stub libraries of {} before the driver's: take them out, they are for linking only",
            folders[stub].display()
        ));
    }
    // The driver's installer tells the system's loader, and newer set_env.sh leave it at that.
    if driver.is_none() && ascend.driver.is_some() && !ascend.driver_is_registered && !works {
        faults.push(format!(
            "neither LD_LIBRARY_PATH nor /etc/ld.so.conf.d names the driver's libraries: `source {0}/bin/setenv.bash`, or \
             add {0}/lib64/driver and {0}/lib64/common to LD_LIBRARY_PATH",
            ascend.driver_home.display()
        ));
    }
    let home = environment.get("ASCEND_HOME_PATH").map(PathBuf::from);
    let has_library =
        |folder: &Path| folder.join("libascendcl.so").exists() || folder.join("libacl_rt.so").exists();
    if let (Some(home), Some(first)) = (home, position(&has_library)) {
        // By its name, or where links lead: `latest` is a folder of links to the folders of a release.
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let same = folders[first].starts_with(&home)
            || real(&folders[first]).starts_with(real(&home))
            || real(&folders[first]) == real(&home.join("lib64"));
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

fn cxx_abi(evidence: &Evidence<'_>) -> Vec<String> {
    let Evidence { ascend, environment, .. } = evidence;
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

/// One fault for each kind of device that the program has no kernel for.
fn fused_kernel(evidence: &Evidence<'_>) -> Vec<String> {
    let missing =
        kernels::choices(&evidence.npu.devices).into_iter().filter_map(|choice| choice.kernel.err());
    let mut faults: Vec<String> =
        missing.map(|error| format!("{error}; until then, `mlapo run --backend host` or `atb`")).collect();
    faults.dedup();
    faults
}

#[cfg(test)]
mod tests;
