//! The commands that a build runs or prints.

use std::process::Command;

use super::*;

#[test]
fn the_newest_toolkits_are_called_directly() {
    let bench = Bench::newest();
    let said = bench.build(|_| ()).unwrap();
    let commands: Vec<_> = bench.commands().iter().map(|line| without_key(line)).collect();
    let work = "target/build-kernels/WORK";
    assert_eq!(
        commands,
        [
            "bisheng --version".to_owned(),
            format!(
                "bisheng -c -x asc -std=c++17 -O3 --npu-arch=dav-2201 --aicore-only -I kernel kernel/mlapo.cpp \
                 -o {work}/mlapo.device.o"
            ),
            format!("ld.lld -m aicorelinux -Ttext=0 {work}/mlapo.device.o -static -o {work}/mlapo.o"),
        ]
    );
    for part in
        ["CANN 9.1.0-beta.1 (runtime 9.1.0-beta.1)", "method direct", "mlapo.o: built", "embedded when"]
    {
        assert!(said.contains(part), "{part} in: {said}");
    }
    assert_eq!(bench.embedded(), ["9.1.0-beta.1"]);
    let object = bench.folders().artifacts.join("dav-2201/9.1.0-beta.1/mlapo.o");
    assert_eq!(fs::read_to_string(object).unwrap(), CODE);
}

#[test]
fn older_toolkits_build_with_their_cmake_project() {
    let bench = Bench::older();
    let said = bench.build(|args| args.socs = vec!["Ascend910B4-1".into()]).unwrap();
    let commands: Vec<_> = bench.commands().iter().map(|line| without_key(line)).collect();
    let work = "target/build-kernels/WORK";
    assert_eq!(
        commands,
        [
            "bisheng --version".to_owned(),
            format!(
                "cmake -S device -B {work}/build -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX={work}/out \
                 -DRUN_MODE=npu -DSOC_VERSION=Ascend910B4-1 -DASCEND_CANN_PACKAGE_PATH=toolkit \
                 -DASCENDC_CMAKE_DIR=toolkit/compiler/tikcpp/ascendc_kernel_cmake \
                 -DKERNEL_NAME=mlapo -DKERNEL_FILE=kernel/mlapo.cpp"
            ),
            format!("cmake --build {work}/build"),
        ]
    );
    assert!(said.contains("CANN 8.1.RC1 (runtime 7.7.0.1.238)") && said.contains("method cmake"), "{said}");
    assert_eq!(bench.embedded(), ["8.1.RC1"]);
}

#[test]
fn the_cmake_project_names_what_the_command_gives_it() {
    let text = fs::read_to_string(Path::new(MLAPO_KERNEL).join("device/CMakeLists.txt")).unwrap();
    for part in [
        "include(${ASCENDC_CMAKE_DIR}/ascendc.cmake)",
        // As old as the message says that asks for it.
        "cmake_minimum_required(VERSION 3.16)",
        "ascendc_fatbin_library(${KERNEL_NAME} ${KERNEL_FILE})",
    ] {
        assert!(text.contains(part), "{part} in: {text}");
    }
}

#[test]
fn the_way_can_be_chosen_among_those_that_the_toolkit_has() {
    let bench = Bench::newest();
    bench.build(|args| args.method = Some(Method::Cmake)).unwrap();
    assert!(bench.commands().iter().any(|line| line.starts_with("cmake --build")));
    assert_eq!(bench.manifest("9.1.0-beta.1").method, "cmake");
    let bench = Bench::older();
    let error = bench.build(|args| args.method = Some(Method::Direct)).unwrap_err().to_string();
    let home = bench.home();
    assert_eq!(
        error,
        format!(
            "{} cannot build by the method direct: no --aicore-only in asc_modules/FindASC.cmake beside ascendc.cmake; \
             it has: cmake",
            home.display()
        )
    );
    assert!(bench.commands().is_empty());
}

#[test]
fn a_dry_run_prints_every_command_and_runs_none() {
    for bench in [Bench::newest(), Bench::older()] {
        let said = bench.build(|args| args.dry_run = true).unwrap();
        assert!(bench.commands().is_empty());
        let folders = bench.folders();
        assert!(!folders.artifacts.exists() && !folders.cache.exists());
        // The same commands as those that a build runs, up to the folder of the work.
        bench.build(|_| ()).unwrap();
        let root = format!("{}/", bench.directory.path().display());
        let printed =
            said.replace(&root, "").replace("target/build-kernels/work", "target/build-kernels/WORK");
        for line in bench.commands() {
            let line = without_key(&line);
            assert!(printed.lines().any(|printed| printed.ends_with(&line)), "{line} in: {printed}");
        }
        assert!(printed.contains("ASCEND_HOME_PATH=toolkit PATH=toolkit/"), "{printed}");
        let libraries = format!(" LD_LIBRARY_PATH=toolkit/lib64:toolkit/{HOST}-linux/lib64\"");
        assert!(printed.contains(&libraries), "{printed}");
        assert!(printed.contains("would write artifacts/dav-2201/"), "{printed}");
    }
}

#[test]
fn what_is_printed_is_what_a_shell_takes() {
    let bench = Bench::newest();
    let home = bench.directory.path().join("a tool'kit");
    fs::rename(bench.home(), &home).unwrap();
    let toolkit = Toolkit::find(&[home]).unwrap();
    let shell = |step: &Step, others: Option<&str>| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(step.to_string()).env_remove("LD_LIBRARY_PATH");
        command.envs(others.map(|others| ("LD_LIBRARY_PATH", others)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{step}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = Step::version(&toolkit).unwrap();
    assert_eq!(shell(&version, None), "bisheng 1\nof today\n", "{version}");
    let work = bench.directory.path();
    let code = Code { file: bench.source().kernel.join("mlapo.cpp"), project: bench.source().project };
    let plan = Plan::new(&toolkit, Method::Direct, &code, work, SOCS[0]);
    for others in [None, Some("/else where")] {
        plan.steps.iter().for_each(|step| drop(shell(step, others)));
        assert_eq!(fs::read_to_string(&plan.object).unwrap(), CODE);
        fs::remove_file(&plan.object).unwrap();
    }
}

#[test]
fn programs_find_the_toolkits_libraries_before_others() {
    let bench = Bench::newest();
    bench.program(&format!("{HOST}-linux/ccec_compiler/bin/bisheng"), "echo \"$LD_LIBRARY_PATH\"\n");
    let said = Step::version(&Toolkit::find(&[bench.home()]).unwrap()).unwrap().run().unwrap();
    let home = bench.home().display().to_string();
    let mut expected = format!("{home}/lib64:{home}/{HOST}-linux/lib64");
    if let Some(others) = env::var("LD_LIBRARY_PATH").ok().filter(|others| !others.is_empty()) {
        expected.push(':');
        expected.push_str(&others);
    }
    assert_eq!(said.trim_end(), expected);
}

#[test]
fn libraries_may_be_in_either_folder_of_the_toolkit() {
    let bench = Bench::newest();
    fs::remove_dir_all(bench.home().join("lib64")).unwrap();
    let message = bench.build(|_| ()).unwrap_err().to_string();
    assert!(message.contains("libmmpa.so: cannot open shared object file"), "{message}");
    bench.file(&format!("{HOST}-linux/lib64/libmmpa.so"), "");
    bench.build(|_| ()).unwrap();
}

#[test]
fn several_socs_of_the_architecture_share_one_object() {
    for bench in [Bench::newest(), Bench::older()] {
        bench.build(|args| args.socs = vec!["Ascend910B3".into(), "Ascend910_9391".into()]).unwrap();
        let commands = bench.commands();
        let builds = |line: &&String| line.starts_with("bisheng -c") || line.starts_with("cmake --build");
        assert_eq!(commands.iter().filter(builds).count(), 1, "{commands:?}");
        let said = bench.build(|args| args.socs = vec!["Ascend910B2C".into()]).unwrap();
        assert!(said.contains("from the cache, already in place"), "{said}");
    }
}

#[test]
fn a_soc_may_be_named_as_by_any_tool() {
    let bench = Bench::older();
    for name in ["Ascend910B3", "910B3", "910b3", "ascend910b3", "ASCEND910B3", "Ascend 910B3"] {
        let said = bench.build(|args| {
            args.socs = vec![name.to_owned()];
            args.dry_run = true;
        });
        let said = said.unwrap();
        assert!(said.contains(" -DSOC_VERSION=Ascend910B3 "), "{name}: {said}");
    }
    // The longest of those that begin alike.
    assert_eq!(soc_named("910b4-1").unwrap(), "Ascend910B4-1");
    assert_eq!(soc_named("910_9391").unwrap(), "Ascend910_9391");
}
