//! Profiling: stamps, ranges, and the trace they make.

#[macro_use]
mod table;

use std::ffi::{CString, c_void};
use std::path::Path;
use std::{fs, ptr, thread};

use ascendcl_sim::profile::{self, Kind, Place, Record};
use ascendcl_sys::*;
use table::{RUNTIME, library};

fn stamp(acl: &Library, message: &str) -> *mut c_void {
    let stamp = call!(acl.aclprofCreateStamp());
    assert!(!stamp.is_null());
    // Without a terminator: the length counts.
    let code = call!(acl.aclprofSetStampTraceMessage(stamp, message.as_ptr().cast(), message.len() as u32));
    assert_eq!(code, ACL_SUCCESS);
    stamp
}

/// The records with a message.
fn records(message: &str) -> Vec<Record> {
    profile::records().into_iter().filter(|record| record.message == message).collect()
}

#[test]
fn ranges_are_kept_without_a_profiler() {
    let acl = library();
    let outer = stamp(&acl, "across threads");
    let mut range = 0;
    assert_eq!(call!(acl.aclprofRangeStart(outer, &mut range)), ACL_SUCCESS);
    let inner = stamp(&acl, "within");
    let mut other = 0;
    assert_eq!(call!(acl.aclprofRangeStart(inner, &mut other)), ACL_SUCCESS);
    assert_ne!(range, other);
    assert_eq!(call!(acl.aclprofRangeStop(other)), ACL_SUCCESS);
    // The stamp may go before its range.
    call!(acl.aclprofDestroyStamp(outer));
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(call!(acl.aclprofRangeStop(range)), ACL_SUCCESS));
    });
    let [outer] = &records("across threads")[..] else { panic!("one record") };
    let [within] = &records("within")[..] else { panic!("one record") };
    assert_eq!((outer.kind, within.kind), (Kind::Range, Kind::Range));
    assert!(outer.start <= within.start && within.start <= within.end && within.end <= outer.end);
    assert_ne!(outer.place, within.place);
    assert_eq!(call!(acl.aclprofRangeStop(range)), ACL_ERROR_INVALID_PARAM);
    call!(acl.aclprofDestroyStamp(inner));
}

#[test]
fn pushes_nest_and_belong_to_a_thread() {
    let acl = library();
    let [outer, inner] = ["outer push", "inner push"].map(|message| stamp(&acl, message));
    assert_eq!(call!(acl.aclprofPush(outer)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofPush(inner)), ACL_SUCCESS);
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(call!(acl.aclprofPop()), ACL_ERROR_INVALID_PARAM));
    });
    assert_eq!(call!(acl.aclprofPop()), ACL_SUCCESS);
    assert!(records("outer push").is_empty());
    assert_eq!(call!(acl.aclprofMark(inner)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofPop()), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofPop()), ACL_ERROR_INVALID_PARAM);
    let [outer_record] = &records("outer push")[..] else { panic!("one record") };
    let [inner_record, mark] = &records("inner push")[..] else { panic!("two records") };
    assert_eq!((inner_record.kind, mark.kind), (Kind::Nested, Kind::Mark));
    assert!(outer_record.start <= inner_record.start && inner_record.end <= mark.start);
    assert_eq!(mark.start, mark.end);
    for stamp in [outer, inner] {
        call!(acl.aclprofDestroyStamp(stamp));
    }
}

#[test]
fn misused_stamps_are_found_out() {
    let acl = library();
    let gone = stamp(&acl, "gone");
    call!(acl.aclprofDestroyStamp(gone));
    call!(acl.aclprofDestroyStamp(gone));
    call!(acl.aclprofDestroyStamp(ptr::null_mut()));
    assert_eq!(call!(acl.aclprofMark(gone)), ACL_ERROR_RT_INVALID_HANDLE);
    assert_eq!(call!(acl.aclprofMark(ptr::null_mut())), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclprofPush(gone)), ACL_ERROR_RT_INVALID_HANDLE);
    let mut range = 7;
    assert_eq!(call!(acl.aclprofRangeStart(gone, &mut range)), ACL_ERROR_RT_INVALID_HANDLE);
    assert_eq!(range, 7);
    let live = stamp(&acl, "live");
    assert_eq!(call!(acl.aclprofRangeStart(live, ptr::null_mut())), ACL_ERROR_INVALID_PARAM);
    let code = call!(acl.aclprofSetStampTraceMessage(live, ptr::null(), 4));
    assert_eq!(code, ACL_ERROR_INVALID_PARAM);
    let code = call!(acl.aclprofSetStampTraceMessage(live, c"\xff".as_ptr(), 1));
    assert_eq!(code, ACL_ERROR_INVALID_PARAM);
    call!(acl.aclprofDestroyStamp(live));
}

/// Names and phases of the events of the only trace in a folder.
#[expect(clippy::unwrap_used, reason = "a trace that is not as expected fails the test")]
fn trace(folder: &Path) -> Vec<(String, String)> {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("one trace, not {files:?}") };
    let trace: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    for event in events {
        assert!(event["ts"].as_f64().unwrap() >= 0.0, "{event}");
        assert_eq!(event["ph"] == "X", event["dur"].is_number(), "{event}");
        assert!(event["pid"].is_number() || event["pid"].is_string(), "{event}");
    }
    events.iter().map(|e| (e["name"].as_str().unwrap().into(), e["ph"].as_str().unwrap().into())).collect()
}

#[test]
fn a_session_writes_a_trace_of_what_it_saw() {
    let _turn = RUNTIME.lock();
    let acl = library();
    let folder = tempfile::tempdir().unwrap();
    let path = CString::new(folder.path().join("made").to_str().unwrap()).unwrap();
    let length = path.as_bytes().len();
    assert_eq!(call!(acl.aclprofInit(path.as_ptr(), length)), ACL_ERROR_UNINITIALIZE);
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtSetDevice(0)), ACL_SUCCESS);
    let mut stream = aclrtStream::null();
    assert_eq!(call!(acl.aclrtCreateStream(&mut stream)), ACL_SUCCESS);

    let create = |devices: &mut [u32], data| {
        let count = devices.len() as u32;
        call!(acl.aclprofCreateConfig(devices.as_mut_ptr(), count, ACL_AICORE_NONE, ptr::null(), data))
    };
    let config = create(&mut [0], ACL_PROF_MSPROFTX | ACL_PROF_TASK_TIME);
    let overlapping = create(&mut [0], ACL_PROF_MSPROFTX);
    assert!(!config.is_null() && !overlapping.is_null());
    assert_eq!(call!(acl.aclprofStart(config)), ACL_ERROR_PROF_NOT_RUN);
    assert_eq!(call!(acl.aclprofFinalize()), ACL_ERROR_PROF_NOT_RUN);
    assert_eq!(call!(acl.aclprofInit(path.as_ptr(), length)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofInit(path.as_ptr(), length)), ACL_ERROR_PROF_ALREADY_RUN);
    assert_eq!(call!(acl.aclprofSetConfig(ACL_PROF_HOST_SYS, c"cpu,mem".as_ptr(), 7)), ACL_SUCCESS);

    let quoted = stamp(&acl, "say \"hi\"\n");
    let mut range = 0;
    assert_eq!(call!(acl.aclprofMark(quoted)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofStop(config)), ACL_ERROR_PROF_NOT_RUN);
    assert_eq!(call!(acl.aclprofStart(config)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofStart(config)), ACL_ERROR_PROF_ALREADY_RUN);
    assert_eq!(call!(acl.aclprofStart(overlapping)), ACL_ERROR_PROF_ALREADY_RUN);
    assert_eq!(call!(acl.aclprofRangeStart(quoted, &mut range)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofMarkEx(c"both sides".as_ptr(), 10, stream)), ACL_SUCCESS);
    let step = call!(acl.aclprofCreateStepInfo());
    assert_eq!(call!(acl.aclprofGetStepTimestamp(step, ACL_STEP_START, stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofGetStepTimestamp(step, ACL_STEP_END, stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofGetStepTimestamp(step, ACL_STEP_END, stream)), ACL_ERROR_INVALID_PARAM);
    assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofRangeStop(range)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofStop(config)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofMark(quoted)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofFinalize()), ACL_SUCCESS);

    let places: Vec<Place> = records("both sides").iter().map(|record| record.place).collect();
    let mut id = -1;
    assert_eq!(call!(acl.aclrtStreamGetId(stream, &mut id)), ACL_SUCCESS);
    assert!(places.contains(&Place::Stream { device: 0, stream: id }), "{places:?}");
    assert!(matches!(places[..], [Place::Thread(_), _] | [_, Place::Thread(_)]), "{places:?}");

    // Other tests run at the same time, and what they mark is in the trace, too.
    let events = trace(&folder.path().join("made"));
    let named = |name: &str| -> Vec<&str> {
        events.iter().filter(|(other, _)| other == name).map(|(_, phase)| phase.as_str()).collect()
    };
    // The marks before the start and after the stop are not there.
    assert_eq!(named("say \"hi\"\n"), ["X"]);
    assert_eq!(named("both sides"), ["i", "i"]);
    assert_eq!(events.iter().filter(|(name, _)| name.starts_with("step ")).count(), 2);

    call!(acl.aclprofDestroyStepInfo(step));
    let code = call!(acl.aclprofGetStepTimestamp(step, ACL_STEP_START, stream));
    assert_eq!(code, ACL_ERROR_RT_INVALID_HANDLE);
    call!(acl.aclprofDestroyStamp(quoted));
    for config in [config, overlapping] {
        assert_eq!(call!(acl.aclprofDestroyConfig(config)), ACL_SUCCESS);
        assert_eq!(call!(acl.aclprofDestroyConfig(config)), ACL_ERROR_RT_INVALID_HANDLE);
    }
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

#[test]
fn a_captured_mark_is_made_whenever_its_graph_runs() {
    let _turn = RUNTIME.lock();
    let acl = library();
    assert_eq!(call!(acl.aclInit(ptr::null())), ACL_SUCCESS);
    assert_eq!(call!(acl.aclrtSetDevice(0)), ACL_SUCCESS);
    let mut stream = aclrtStream::null();
    let mut graph = aclmdlRI::null();
    assert_eq!(call!(acl.aclrtCreateStream(&mut stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclmdlRICaptureBegin(stream, ACL_MODEL_RI_CAPTURE_MODE_GLOBAL)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclprofMarkEx(c"captured".as_ptr(), 8, stream)), ACL_SUCCESS);
    assert_eq!(call!(acl.aclmdlRICaptureEnd(stream, &mut graph)), ACL_SUCCESS);
    // The call itself.
    assert_eq!(records("captured").len(), 1);
    for _ in 0..3 {
        assert_eq!(call!(acl.aclmdlRIExecuteAsync(graph, stream)), ACL_SUCCESS);
    }
    assert_eq!(call!(acl.aclrtSynchronizeStream(stream)), ACL_SUCCESS);
    assert_eq!(records("captured").len(), 4);
    assert_eq!(call!(acl.aclFinalize()), ACL_SUCCESS);
}

#[test]
fn impossible_configurations_are_not_made() {
    let acl = library();
    let create = |devices: *mut u32, count, metrics| {
        call!(acl.aclprofCreateConfig(devices, count, metrics, ptr::null(), ACL_PROF_MSPROFTX))
    };
    assert!(create(ptr::null_mut(), 1, ACL_AICORE_NONE).is_null());
    assert!(create([0, 0].as_mut_ptr(), 2, ACL_AICORE_NONE).is_null());
    assert!(create([0].as_mut_ptr(), 1, aclprofAicoreMetrics(77)).is_null());
    assert!(create([0].as_mut_ptr(), u32::MAX, ACL_AICORE_NONE).is_null());
    assert_eq!(call!(acl.aclprofDestroyConfig(ptr::null())), ACL_ERROR_INVALID_PARAM);
    let code = call!(acl.aclprofSetConfig(ACL_PROF_STORAGE_LIMIT, ptr::null(), 3));
    assert_eq!(code, ACL_ERROR_INVALID_PARAM);
    let code = call!(acl.aclprofSetConfig(ACL_PROF_ARGS_MIN, c"1".as_ptr(), 1));
    assert_eq!(code, ACL_ERROR_INVALID_PARAM);
    let code = call!(acl.aclprofSetConfig(ACL_PROF_STORAGE_LIMIT, c"1".as_ptr(), 257));
    assert_eq!(code, ACL_ERROR_INVALID_PARAM);
}
