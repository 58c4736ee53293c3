//! The files of `aclInit` (AscendCL docs: initialisation) and `aclnnInit`: what they may say, and what of it has an effect here.

use std::fs;

use serde_json::{Map, Value};

use crate::dump::Configuration;
use crate::error::{Error, Result, failure, misuse};

/// Objects and arrays are nested no deeper, each.
const MOST_LEVELS: usize = 10;

/// What a file asks for.
#[derive(Debug, Default)]
pub(crate) struct InitFile {
    /// The device of threads that choose none.
    pub default_device: Option<i32>,
    /// Whether `aclGetRecentErrMsg` answers with the messages of all threads.
    pub messages_of_process: bool,
    pub dump: Option<Configuration>,
}

impl InitFile {
    pub(crate) fn read(path: &str) -> Result<Self> {
        read(path, Self::parse)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut file = Self::default();
        for (name, section) in &sections(text)? {
            match name.as_str() {
                "defaultDevice" => file.default_device = Some(default_device(section)?),
                "err_msg_mode" => {
                    file.messages_of_process = match number(section) {
                        Some(0) => false,
                        Some(1) => true,
                        _ => {
                            return Err(misuse!(
                                ACL_ERROR_FILE_ATTR_INVALID,
                                "\"err_msg_mode\" is {section}, and may be 0 or 1"
                            ));
                        }
                    }
                }
                "dump" => {
                    let dump = Configuration::read(section)
                        .map_err(|reason| misuse!(ACL_ERROR_INVALID_DUMP_CONFIG, "{reason}"))?;
                    file.dump = Some(dump);
                }
                _ => has_no_effect(name),
            }
        }
        Ok(file)
    }
}

/// Checks the file of `aclnnInit`, which has nothing for the simulator: its operators check bounds always, and have no pipes.
pub(crate) fn check_operator_file(path: &str) -> Result {
    read(path, |text| {
        for (name, section) in &sections(text)? {
            if name == "op_debug_config"
                && let Some(switch) = section.get("enable_debug_kernel")
                && switch != "on"
                && switch != "off"
            {
                return Err(misuse!(
                    ACL_ERROR_FILE_ATTR_INVALID,
                    "\"enable_debug_kernel\" is {switch}, and may be \"on\" or \"off\""
                ));
            }
            has_no_effect(name);
        }
        Ok(())
    })
}

fn has_no_effect(name: &str) {
    tracing::warn!("\"{name}\" in the configuration has no effect on the simulated device");
}

fn read<T>(path: &str, parse: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    let text = fs::read_to_string(path)
        .map_err(|error| failure!(ACL_ERROR_INVALID_FILE, "the configuration {path}: {error}"))?;
    parse(&text)
        .map_err(|error| Error { message: format!("the configuration {path}: {}", error.message), ..error })
}

fn sections(text: &str) -> Result<Map<String, Value>> {
    let json: Value = serde_json::from_str(text).map_err(|error| misuse!(ACL_ERROR_PARSE_FILE, "{error}"))?;
    if levels(&json, Value::is_object) > MOST_LEVELS || levels(&json, Value::is_array) > MOST_LEVELS {
        return Err(misuse!(
            ACL_ERROR_PARSE_FILE,
            "objects or arrays are nested deeper than {MOST_LEVELS} levels"
        ));
    }
    match json {
        Value::Object(sections) => Ok(sections),
        _ => Err(misuse!(ACL_ERROR_PARSE_FILE, "it is no JSON object")),
    }
}

fn default_device(section: &Value) -> Result<i32> {
    let device = section
        .get("default_device")
        .ok_or_else(|| misuse!(ACL_ERROR_FILE_MISSING_ATTR, "\"defaultDevice\" has no \"default_device\""))?;
    number(device).and_then(|device| i32::try_from(device).ok()).ok_or_else(|| {
        misuse!(ACL_ERROR_FILE_ATTR_INVALID, "\"default_device\" is {device}, which is no device")
    })
}

/// A number, or the text of one.
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => value.as_u64(),
    }
}

/// How deep values of a kind are nested.
fn levels(value: &Value, is_counted: fn(&Value) -> bool) -> usize {
    let within = match value {
        Value::Array(members) => members.iter().map(|member| levels(member, is_counted)).max(),
        Value::Object(members) => members.values().map(|member| levels(member, is_counted)).max(),
        _ => None,
    };
    usize::from(is_counted(value)) + within.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use ascendcl_sys::*;

    use super::*;

    #[test]
    fn what_is_documented_is_read_and_the_rest_is_let_be() {
        let file = InitFile::parse("{}").unwrap();
        assert!(file.default_device.is_none() && !file.messages_of_process && file.dump.is_none());
        let file = InitFile::parse(
            r#"{"defaultDevice": {"default_device": "3"}, "err_msg_mode": "1", "max_opqueue_num": "10000",
                "dump": {"dump_path": "out", "dump_op_switch": "on"}, "StackSize": {"aicore_stack_size": 32768}}"#,
        )
        .unwrap();
        assert_eq!(file.default_device, Some(3));
        assert!(file.messages_of_process && file.dump.is_some());
    }

    #[test]
    fn broken_files_have_the_documented_codes() {
        let nested = |levels: usize| format!("{{\"a\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(InitFile::parse(&nested(10)).is_ok());
        for (text, code) in [
            ("{", ACL_ERROR_PARSE_FILE),
            ("[]", ACL_ERROR_PARSE_FILE),
            (nested(11).as_str(), ACL_ERROR_PARSE_FILE),
            (r#"{"defaultDevice": {}}"#, ACL_ERROR_FILE_MISSING_ATTR),
            (r#"{"defaultDevice": {"default_device": "-1"}}"#, ACL_ERROR_FILE_ATTR_INVALID),
            (r#"{"defaultDevice": {"default_device": ""}}"#, ACL_ERROR_FILE_ATTR_INVALID),
            (r#"{"err_msg_mode": "2"}"#, ACL_ERROR_FILE_ATTR_INVALID),
            (r#"{"dump": {"dump_op_switch": "on"}}"#, ACL_ERROR_INVALID_DUMP_CONFIG),
        ] {
            assert_eq!(InitFile::parse(text).unwrap_err().code, code, "{text}");
        }
    }
}
