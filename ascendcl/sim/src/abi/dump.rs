//! Dumps of what operators read and write; [`crate::dump`] says what they are.

use std::env;
use std::ffi::c_char;
use std::fs;
use std::path::PathBuf;
use std::ptr;

use ascendcl_sys::*;
use serde_json::Value;

use super::abi;
use crate::dump::{self, Configuration};
use crate::error::{Error, Result, failure, misuse};
use crate::simulator;

abi! {
    pub fn aclmdlInitDump() {
        simulator::get()?;
        dump::begin()
    }

    /// Reads the configuration, which replaces the last one.
    pub fn aclmdlSetDump(dump_cfg_path: *const c_char) {
        simulator::get()?;
        let path = dump_cfg_path.text()?;
        dump::configure(|| {
            let text = fs::read_to_string(&path)
                .map_err(|error| failure!(ACL_ERROR_INVALID_FILE, "the dump configuration {path}: {error}"))?;
            let json: Value = serde_json::from_str(&text).map_err(|error| invalid(&path, &error.to_string()))?;
            let dump = json.get("dump").ok_or_else(|| invalid(&path, "it has no \"dump\""))?;
            Configuration::read(dump).map_err(|reason: String| invalid(&path, &reason))
        })
    }

    pub fn aclmdlFinalizeDump() {
        simulator::get()?;
        dump::end()
    }

    pub fn acldumpRegCallback(
        message_callback: Option<unsafe extern "C" fn(*const acldumpChunk, i32) -> i32>,
        flag: i32,
    ) {
        let Some(callback) = message_callback else {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the callback is null"));
        };
        if flag != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the flag is {flag}, not 0"));
        }
        dump::set_callback(callback);
        Ok(())
    }

    pub fn acldumpUnregCallback() -> (), else (); {
        if !dump::take_callback() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "no callback is registered"));
        }
        Ok(())
    }

    /// Null if no dump of the type is configured. The text lives until the configuration changes.
    pub fn acldumpGetPath(dump_type: acldumpType) -> *const c_char, else ptr::null(); {
        Ok(dump::path(dump_type).unwrap_or(ptr::null()))
    }

    /// A relative path starts at the folder of the program, as documented.
    pub fn aclopStartDumpArgs(dump_type: u32, path: *const c_char) {
        simulator::get()?;
        check_kind(dump_type)?;
        let path = path.text()?;
        let program = env::current_exe().unwrap_or_default();
        let folder = program.parent().map_or_else(|| PathBuf::from(&path), |folder| folder.join(&path));
        dump::start_statistics(folder)
    }

    pub fn aclopStopDumpArgs(dump_type: u32) {
        simulator::get()?;
        check_kind(dump_type)?;
        dump::stop_statistics()
    }
}

fn invalid(path: &str, reason: &str) -> Error {
    misuse!(ACL_ERROR_INVALID_DUMP_CONFIG, "the dump configuration {path}: {reason}")
}

fn check_kind(dump_type: u32) -> Result {
    if dump_type != ACL_OP_DUMP_OP_AICORE_ARGS {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no dump of operators {dump_type}"));
    }
    Ok(())
}
