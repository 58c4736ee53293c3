//! What a configuration of dumps asks for (AscendCL docs: dump configuration).

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ascendcl_sys::{
    AIC_ERR_BRIEF_DUMP, AIC_ERR_DETAIL_DUMP, AIC_ERR_NORM_DUMP, DATA_DUMP, OVERFLOW_DUMP, acldumpType,
};
use serde_json::Value;

/// A configuration.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(super) scene: Scene,
    pub(super) path: CString,
    pub(super) inputs: bool,
    pub(super) outputs: bool,
    /// When it came, which names its folder.
    time: String,
}

/// What is dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    /// Inputs and outputs: of models, which are not simulated, and with `operators` of single operators.
    Data { operators: bool },
    /// Those of operators that overflow.
    Overflow,
    /// What is left of operators that failed, in one of three degrees.
    Exception(acldumpType),
    /// What layers of models do to each other's outputs.
    Watch,
}

impl Scene {
    pub(super) fn is_of(self, kind: acldumpType) -> bool {
        match self {
            Self::Data { .. } | Self::Watch => kind == DATA_DUMP,
            Self::Overflow => kind == OVERFLOW_DUMP,
            Self::Exception(degree) => kind == degree,
        }
    }
}

impl Configuration {
    /// Reads the section `dump` of a file.
    pub(crate) fn read(dump: &Value) -> Result<Self, String> {
        if !dump.is_object() {
            return Err("\"dump\" is no object".to_owned());
        }
        let setting = |name: &str| match dump.get(name) {
            None => Ok(None),
            Some(Value::String(value)) => Ok(Some(value.as_str())),
            Some(_) => Err(format!("\"{name}\" is not a text")),
        };
        let choice = |name: &str, choices: &[&str]| match setting(name)? {
            Some(value) if !choices.contains(&value) => {
                Err(format!("\"{name}\" is {value:?}, and may be one of {choices:?}"))
            }
            value => Ok(value),
        };
        let operators = choice("dump_op_switch", &["on", "off"])? == Some("on");
        let overflow = choice("dump_debug", &["on", "off"])? == Some("on");
        let mode = choice("dump_mode", &["input", "output", "all"])?.unwrap_or("output");
        choice("dump_level", &["op", "kernel", "all"])?;
        if choice("dump_data", &["tensor", "stats"])? == Some("stats") {
            return Err("\"dump_data\" is \"stats\", and the simulator dumps tensors only".to_owned());
        }
        let scene = match setting("dump_scene")? {
            Some("aic_err_brief_dump" | "lite_exception") => Scene::Exception(AIC_ERR_BRIEF_DUMP),
            Some("aic_err_norm_dump") => Scene::Exception(AIC_ERR_NORM_DUMP),
            Some("aic_err_detail_dump") => Scene::Exception(AIC_ERR_DETAIL_DUMP),
            Some("watcher") => Scene::Watch,
            Some(scene) => return Err(format!("there is no \"dump_scene\" {scene:?}")),
            None if overflow => Scene::Overflow,
            None => Scene::Data { operators },
        };
        if !matches!(scene, Scene::Data { .. }) && operators || scene != Scene::Overflow && overflow {
            return Err(
                "dumps of operators, of overflows, and of a \"dump_scene\" exclude each other".to_owned()
            );
        }
        let path = match (setting("dump_path")?, scene) {
            (Some(path), _) => path,
            (None, Scene::Exception(_)) => ".",
            (None, _) => return Err("it has no \"dump_path\"".to_owned()),
        };
        Ok(Self {
            scene,
            path: CString::new(path).map_err(|error| error.to_string())?,
            inputs: mode != "output",
            outputs: mode != "input",
            time: clock(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())),
        })
    }

    pub(super) fn folder(&self) -> PathBuf {
        let path: &CStr = &self.path;
        PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes())).join(&self.time)
    }
}

/// Seconds since 1970 as year, month, day, hours, minutes and seconds of universal time.
fn clock(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the leap day, and 400 of them have 146097 days; 1970-01-01 is day 719468 of them.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = match month {
        10.. => (era * 400 + year + 1, month - 9),
        _ => (era * 400 + year, month + 3),
    };
    let (hours, minutes, seconds) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{date:02}{hours:02}{minutes:02}{seconds:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_show_the_date() {
        // By the command `date -u -d @N`.
        assert_eq!(clock(0), "19700101000000");
        assert_eq!(clock(951_782_399), "20000228235959");
        assert_eq!(clock(951_782_400), "20000229000000");
        assert_eq!(clock(1_735_689_599), "20241231235959");
        assert_eq!(clock(1_772_323_200), "20260301000000");
    }

    #[test]
    fn what_excludes_each_other_is_refused() {
        let read = |text: &str| Configuration::read(&serde_json::from_str(text).unwrap());
        assert_eq!(
            read(r#"{"dump_path": "p", "dump_op_switch": "on"}"#).unwrap().scene,
            Scene::Data { operators: true }
        );
        for both in [
            r#"{"dump_path": "p", "dump_op_switch": "on", "dump_debug": "on"}"#,
            r#"{"dump_path": "p", "dump_op_switch": "on", "dump_scene": "watcher"}"#,
            r#"{"dump_path": "p", "dump_debug": "on", "dump_scene": "watcher"}"#,
            r#"{"dump_path": "p", "dump_op_switch": "on", "dump_scene": "lite_exception"}"#,
            r#"{"dump_path": "p", "dump_data": "stats"}"#,
            r#"{"dump_path": "p", "dump_mode": "both"}"#,
            r#"{"dump_scene": "watcher"}"#,
            "[]",
        ] {
            assert!(read(both).is_err(), "{both}");
        }
    }
}
