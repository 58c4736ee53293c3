//! A second process for a test: the test program again, with a role to play, and what both say to each other.
#![allow(dead_code, reason = "no test file uses everything")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::{env, io, ptr};

use ascendcl_sys::*;

use crate::common::TestDevice;

/// Says to the other process what to do.
pub const ROLE: &str = "ASCENDCL_SIM_TEST_ROLE";
/// Says to the other process which device the test has.
pub const DEVICE: &str = "ASCENDCL_SIM_TEST_DEVICE";
/// What the other process says starts with it; the rest is of the test framework.
pub const MARK: &str = "##";

/// The other process, seen from the test.
pub struct Other {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Other {
    pub fn start(role: &str, device: &TestDevice) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "the_other_process", "--nocapture", "--test-threads=1"])
            .env(ROLE, role)
            .env(DEVICE, device.0.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, to, from }
    }

    pub fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub fn say(&mut self, line: &str) {
        writeln!(self.to, "{line}").unwrap();
    }

    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.from.read_line(&mut line).unwrap() > 0, "the other process ended");
            // The framework may have begun the line.
            if let Some((_, said)) = line.trim_end().split_once(MARK) {
                return said.to_owned();
            }
        }
    }

    pub fn expect(&mut self, said: &str) {
        assert_eq!(self.hear(), said);
    }

    /// Waits for the good end.
    pub fn end(mut self) {
        drop(self.to);
        assert!(self.child.wait().unwrap().success());
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The test, seen from the other process.
pub fn say(line: &str) {
    println!("{MARK}{line}");
    io::stdout().flush().unwrap();
}

/// The device of the test, made current.
pub fn same_device() -> TestDevice {
    let device = TestDevice(env::var(DEVICE).unwrap().parse().unwrap());
    ok!(aclrtSetDevice(device.0));
    device
}

pub fn hear() -> String {
    let mut line = String::new();
    assert!(io::stdin().read_line(&mut line).unwrap() > 0, "the test ended");
    line.trim_end().to_owned()
}

/// Plays the role that the test gave this process, if one did: what the test `the_other_process` of each file does.
pub fn play(roles: &[(&str, fn())]) {
    let Ok(role) = env::var(ROLE) else { return };
    let found = roles.iter().find(|(name, _)| *name == role);
    found.unwrap_or_else(|| panic!("no role {role}")).1();
}

pub const KEY: usize = 65;
pub const WITH_LIST: u64 = 0;
pub const WITHOUT_LIST: u64 = 1;

pub fn text(key: &[c_char]) -> String {
    // SAFETY: The key is a C string.
    unsafe { CStr::from_ptr(key.as_ptr()) }.to_str().unwrap().to_owned()
}

pub fn export(memory: *mut c_void, size: usize, flags: u64) -> String {
    let mut key = [c_char::MAX; KEY];
    ok!(aclrtIpcMemGetExportKey(memory, size, key.as_mut_ptr(), KEY, flags));
    text(&key)
}

pub fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

pub fn import(key: &str, flags: u64) -> Result<*mut c_void, aclError> {
    let mut memory = ptr::null_mut();
    let code = code!(aclrtIpcMemImportByKey(&mut memory, c(key).as_ptr(), flags));
    if code == ACL_SUCCESS { Ok(memory) } else { Err(code) }
}

pub fn close(key: &str) -> aclError {
    code!(aclrtIpcMemClose(c(key).as_ptr()))
}

pub fn notify() -> aclrtNotify {
    let mut notify = aclrtNotify::null();
    ok!(aclrtCreateNotify(&mut notify, 0));
    notify
}

pub fn export_notify(notify: aclrtNotify, flags: u64) -> String {
    let mut key = [c_char::MAX; KEY];
    ok!(aclrtNotifyGetExportKey(notify, key.as_mut_ptr(), KEY, flags));
    text(&key)
}

pub fn import_notify(key: &str) -> Result<aclrtNotify, aclError> {
    let mut notify = aclrtNotify::null();
    let code = code!(aclrtNotifyImportByKey(&mut notify, c(key).as_ptr(), 0));
    if code == ACL_SUCCESS { Ok(notify) } else { Err(code) }
}
