//! Dumps of what operators read and write. There are no operators yet, hence the switches work and nothing is dumped.

use std::ffi::{CString, c_char};
use std::fs;
use std::ptr;

use ascendcl_sys::*;
use parking_lot::Mutex;
use serde_json::Value;

use super::abi;
use crate::error::{Result, failure, misuse};
use crate::simulator;

struct Dump {
    initialized: bool,
    has_callback: bool,
    counts_operators: bool,
    /// What was configured, and where it goes.
    configured: Option<(Scene, CString)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scene {
    /// Inputs and outputs of operators.
    Data,
    /// Inputs and outputs of operators that overflow.
    Overflow,
    /// What is left of operators that failed, in one of three degrees.
    Exception(acldumpType),
}

static DUMP: Mutex<Dump> =
    Mutex::new(Dump { initialized: false, has_callback: false, counts_operators: false, configured: None });

abi! {
    pub fn aclmdlInitDump() {
        simulator::get()?;
        let mut dump = DUMP.lock();
        if std::mem::replace(&mut dump.initialized, true) {
            return Err(misuse!(ACL_ERROR_DUMP_ALREADY_RUN, "aclmdlInitDump was called before"));
        }
        Ok(())
    }

    /// Reads the configuration, which replaces the last one.
    pub fn aclmdlSetDump(dump_cfg_path: *const c_char) {
        simulator::get()?;
        let path = dump_cfg_path.text()?;
        let mut dump = DUMP.lock();
        dump.check()?;
        let text = fs::read_to_string(&path)
            .map_err(|error| failure!(ACL_ERROR_INVALID_FILE, "the dump configuration {path}: {error}"))?;
        let configured = configuration(&text).map_err(|reason| {
            misuse!(ACL_ERROR_INVALID_DUMP_CONFIG, "the dump configuration {path}: {reason}")
        })?;
        dump.configured = Some(configured);
        Ok(())
    }

    pub fn aclmdlFinalizeDump() {
        simulator::get()?;
        let mut dump = DUMP.lock();
        dump.check()?;
        dump.initialized = false;
        dump.configured = None;
        Ok(())
    }

    pub fn acldumpRegCallback(
        message_callback: Option<unsafe extern "C" fn(*const acldumpChunk, i32) -> i32>,
        flag: i32,
    ) {
        if message_callback.is_none() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the callback is null"));
        }
        if flag != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the flag is {flag}, not 0"));
        }
        DUMP.lock().has_callback = true;
        Ok(())
    }

    pub fn acldumpUnregCallback() -> (), else (); {
        if !std::mem::take(&mut DUMP.lock().has_callback) {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "no callback is registered"));
        }
        Ok(())
    }

    /// Null if no dump of the type is configured. The text lives until the configuration changes.
    pub fn acldumpGetPath(dump_type: acldumpType) -> *const c_char, else ptr::null(); {
        let dump = DUMP.lock();
        let path = dump.configured.as_ref().and_then(|(scene, path)| {
            let has_type = match scene {
                Scene::Data => dump_type == DATA_DUMP,
                Scene::Overflow => dump_type == OVERFLOW_DUMP,
                Scene::Exception(degree) => dump_type == *degree,
            };
            has_type.then(|| path.as_ptr())
        });
        Ok(path.unwrap_or(ptr::null()))
    }

    pub fn aclopStartDumpArgs(dump_type: u32, path: *const c_char) {
        simulator::get()?;
        check_kind(dump_type)?;
        let path = path.text()?;
        fs::create_dir_all(&path).map_err(|error| failure!(ACL_ERROR_INVALID_FILE, "the folder {path}: {error}"))?;
        let mut dump = DUMP.lock();
        if std::mem::replace(&mut dump.counts_operators, true) {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "aclopStartDumpArgs was called before"));
        }
        Ok(())
    }

    /// Nothing is written: no operator ran.
    pub fn aclopStopDumpArgs(dump_type: u32) {
        simulator::get()?;
        check_kind(dump_type)?;
        if !std::mem::take(&mut DUMP.lock().counts_operators) {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "aclopStartDumpArgs was not called"));
        }
        Ok(())
    }
}

impl Dump {
    fn check(&self) -> Result {
        if self.initialized {
            return Ok(());
        }
        Err(misuse!(ACL_ERROR_DUMP_NOT_RUN, "aclmdlInitDump was not called, or aclmdlFinalizeDump was"))
    }
}

fn check_kind(dump_type: u32) -> Result {
    if dump_type != ACL_OP_DUMP_OP_AICORE_ARGS {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no dump of operators {dump_type}"));
    }
    Ok(())
}

/// What a configuration asks for (AscendCL docs: dump configuration).
fn configuration(text: &str) -> std::result::Result<(Scene, CString), String> {
    let json: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let dump = json.get("dump").ok_or("it has no \"dump\"")?;
    let setting = |name: &str| match dump.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.as_str())),
        Some(_) => Err(format!("\"{name}\" is not a text")),
    };
    let scene = match setting("dump_scene")? {
        Some("aic_err_brief_dump" | "lite_exception") => Scene::Exception(AIC_ERR_BRIEF_DUMP),
        Some("aic_err_norm_dump") => Scene::Exception(AIC_ERR_NORM_DUMP),
        Some("aic_err_detail_dump") => Scene::Exception(AIC_ERR_DETAIL_DUMP),
        Some(scene) => return Err(format!("there is no \"dump_scene\" {scene:?}")),
        None if setting("dump_debug")? == Some("on") => Scene::Overflow,
        None => Scene::Data,
    };
    let path = match (setting("dump_path")?, scene) {
        (Some(path), _) => path,
        (None, Scene::Exception(_)) => ".",
        (None, _) => return Err("it has no \"dump_path\"".to_owned()),
    };
    Ok((scene, CString::new(path).map_err(|error| error.to_string())?))
}
