//! Stand-ins for the programs of a toolkit, which record how they are called.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Puts the command line into a log.
const RECORD: &str = r#"#!/bin/sh
echo "${0##*/} $*" >> "$ASCEND_HOME_PATH/log"
"#;

/// Configures and builds as far as to leave an object where the kernel project leaves it.
pub const CMAKE: &str = r#"
case "$1" in
-S)
    for argument; do
        case "$argument" in
        -DCMAKE_INSTALL_PREFIX=*) out="${argument#*=}" ;;
        -DKERNEL_NAME=*) name="${argument#*=}" ;;
        esac
    done
    mkdir -p "$4" && echo "$out/fatbin/$name/$name.o" > "$4/object" ;;
--build)
    object=$(cat "$2/object") && mkdir -p "${object%/*}" && cp "$ASCEND_HOME_PATH/code" "$object" ;;
esac
"#;

/// An object as far as it is looked at: ELF of a machine that is no host, with the names of a mixed kernel's functions.
pub const CODE: &str = "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x29\x10\0mlapo_mix_aic\0mlapo_mix_aiv\0";

/// Writes a program, and whatever folder it is to be in.
pub fn program(path: &Path, body: &str) {
    let text = path.with_extension("text");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&text, format!("{RECORD}{body}")).unwrap();
    // By another process: a file that this one has open for writing, or a child that another thread is just about to
    // start, cannot be executed.
    let mut install = Command::new("install");
    install.args(["-m", "755"]).args([text.as_path(), path]);
    assert!(install.status().unwrap().success());
}
