//! `npu-smi info`, the tool of the driver that shows devices.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::child::{Event, Listener};
use super::system::Environment;

/// Where the driver's installer puts it, besides the search path.
const PLACES: [&str; 2] = ["usr/local/bin", "usr/local/sbin"];

/// What `npu-smi info` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NpuSmi {
    Missing,
    /// With the NPUs that are not well.
    Works(Vec<Ailing>),
    /// With what it said.
    Fails(String),
}

/// An NPU that is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ailing {
    pub npu: String,
    /// In the tool's word: `Warning`, `Alarm`, `Critical`, `UNKNOWN`.
    pub health: String,
}

impl NpuSmi {
    /// Runs it, if it is there. It hangs when the driver does, so there is an end to patience.
    pub fn ask(root: &Path, environment: &Environment, patience: Duration) -> Self {
        let path = environment.get("PATH").unwrap_or_default();
        let named = std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty());
        let folders = named.chain(PLACES.map(|place| root.join(place)));
        let program: Option<PathBuf> =
            folders.map(|folder| folder.join("npu-smi")).find(|program| program.is_file());
        match program.map(|program| run(&program, patience)) {
            None => Self::Missing,
            Some(Ok(lines)) => Self::Works(ailing(&lines)),
            Some(Err(message)) => Self::Fails(message),
        }
    }

    pub fn as_json(&self) -> Value {
        match self {
            Self::Missing => json!({ "found": false }),
            Self::Works(ailing) => {
                let ailing: Vec<Value> = ailing
                    .iter()
                    .map(|Ailing { npu, health }| json!({ "npu": npu, "health": health }))
                    .collect();
                json!({ "found": true, "works": true, "ailing": ailing })
            }
            Self::Fails(message) => json!({ "found": true, "works": false, "message": message }),
        }
    }
}

/// Standard output of `npu-smi info`; on failure, the last line of what it said.
fn run(program: &Path, patience: Duration) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut command = Command::new(program);
    command.arg("info").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let deadline = Instant::now() + patience;
    let mut listener = Listener::start(&mut command).map_err(failed)?;
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    loop {
        match listener.wait(deadline).map_err(failed)? {
            Event::Said(line) if line.is_error => errors.push(line.text),
            Event::Said(line) => output.push(line.text),
            Event::Silence => return Err(format!("no answer in {} s", patience.as_secs())),
            Event::Ended(status) if status.success() => return Ok(output),
            Event::Ended(status) => {
                let last = |lines: Vec<String>| lines.into_iter().rfind(|line| !line.trim().is_empty());
                let said = last(errors).or_else(|| last(output));
                return Err(said.unwrap_or_else(|| status.to_string()));
            }
        }
    }
}

/// The NPUs of the tool's table whose health is another than `OK`. What is not understood of it is passed over: its form
/// belongs to the driver's version.
fn ailing(lines: &[String]) -> Vec<Ailing> {
    let mut column = None;
    let mut found = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if let Some(position) = cells.iter().position(|cell| *cell == "Health") {
            column = Some(position);
        } else if cells.iter().any(|cell| cell.starts_with("Process")) {
            // The table of processes follows.
            column = None;
        }
        let Some(health) = column.and_then(|column| cells.get(column)) else { continue };
        // The row of an NPU has its number and name first; that of a chip has an address where the health is.
        let mut words = cells[0].split_whitespace();
        let (Some(npu), Some(_)) = (words.next(), words.next()) else { continue };
        let is_word = !health.is_empty() && health.bytes().all(|byte| byte.is_ascii_alphabetic());
        if npu.bytes().all(|byte| byte.is_ascii_digit()) && is_word && !["OK", "NA"].contains(health) {
            found.push(Ailing { npu: npu.to_owned(), health: (*health).to_owned() });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn it_is_run_and_not_waited_for_for_ever() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("usr/local/sbin");
        let program = folder.join("npu-smi");
        let ask = |variables: &[(&str, &str)], patience| {
            NpuSmi::ask(root.path(), &Environment::of(variables), patience)
        };
        assert_eq!(ask(&[], PATIENCE), NpuSmi::Missing);
        fs::create_dir_all(&folder).unwrap();
        let with = |script: &str, patience| {
            fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
            // In the installer's place, and on the search path.
            let found = ask(&[], patience);
            assert_eq!(NpuSmi::ask(Path::new("/no/such"), &path(&folder), patience), found);
            found
        };
        fn path(folder: &Path) -> Environment {
            Environment::of(&[("PATH", folder.to_str().unwrap())])
        }
        assert_eq!(with("[ \"$1\" = info ]", PATIENCE), NpuSmi::Works(Vec::new()));
        let failed = with("echo starting; echo 'DrvMngGetConsoleLogLevel failed' >&2; exit 3", PATIENCE);
        assert_eq!(failed, NpuSmi::Fails("DrvMngGetConsoleLogLevel failed".into()));
        assert_eq!(with("echo 'dcmi -8005'; exit 3", PATIENCE), NpuSmi::Fails("dcmi -8005".into()));
        assert_eq!(with("exit 3", PATIENCE), NpuSmi::Fails("exit status: 3".into()));
        let hung = with("sleep 30", Duration::from_millis(100));
        assert!(matches!(&hung, NpuSmi::Fails(message) if message.starts_with("no answer in")), "{hung:?}");
    }

    #[test]
    fn health_is_read_where_it_can_be() {
        let found = |table: &str| {
            let lines: Vec<String> = table.lines().map(str::to_owned).collect();
            ailing(&lines).into_iter().map(|ailing| (ailing.npu, ailing.health)).collect::<Vec<_>>()
        };
        let pair = |npu: &str, health: &str| (npu.to_owned(), health.to_owned());
        let table = "\
+---------------------------+---------------+-------------------------------------+
| npu-smi 25.2.0            Version: 25.2.0                                       |
+---------------------------+---------------+-------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)                 |
| Chip  Phy-ID              | Bus-Id        | AICore(%)   Memory-Usage(MB)        |
+===========================+===============+=====================================+
| 0     910B3               | OK            | 93.6        40                      |
| 0                         | 0000:C1:00.0  | 0           0    / 0                |
| 3     910B3               | Alarm         | 93.6        40                      |
| 0     5                   | 0000:C2:00.0  | 0           0    / 0                |
| 12    Ascend910           | Warning       | 93.6        40                      |
| 13    Ascend910           | NA            | 93.6        40                      |
+===========================+===============+=====================================+
| NPU     Chip              | Process id    | Process name                        |
| 0       0                 | python        | 12                                  |
";
        assert_eq!(found(table), [pair("3", "Alarm"), pair("12", "Warning")]);
        for other in [
            "",
            "|||",
            "| Health |",
            "health: bad",
            "| 0 910B3 | Alarm |",
            "| NPU | Health |\n| 0 |\n| x y | Bad |",
        ] {
            assert_eq!(found(other), [], "{other}");
        }
    }
}
