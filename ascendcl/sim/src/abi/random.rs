//! Random numbers; [`crate::random`] says which.

use std::ffi::c_void;
use std::sync::Arc;

use ascendcl_sys::*;

use super::abi;
use super::stream::Scope;
use crate::error::{Result, misuse};
use crate::random::{self, Distribution, Parameter, Random};
use crate::task::Task;
use crate::transfer::Place;

/// The bytes of the seed and of the number of numbers.
const WORD: usize = 8;
/// The bytes of the counter (AscendCL samples: random numbers).
const COUNTER: usize = 16;

abi! {
    /// The result, the counter, and parameters that are given by their addresses are in device memory, and are read
    /// when the task runs.
    pub fn aclrtRandomNumAsync(
        task_info: *const aclrtRandomNumTaskInfo,
        stream: aclrtStream,
        reserve: *mut c_void,
    ) {
        let info = task_info.get()?;
        if !reserve.is_null() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "reserve is not null"));
        }
        let scope = Scope::enter()?;
        let stream = scope.stream(stream)?;
        let data_type = info.dataType;
        let width = random::width(data_type).ok_or_else(|| {
            misuse!(ACL_ERROR_INVALID_PARAM, "there are no random numbers of data type {}", data_type.0)
        })?;
        let parameter = |info, name, width| parameter(&scope, info, name, width);
        let parameters = info.randomNumFuncParaInfo.paramInfo;
        let kind = info.randomNumFuncParaInfo.funcType;
        // SAFETY: The fields are plain numbers, and the program sets those of the function that it names.
        let distribution = unsafe {
            match kind {
                ACL_RT_RANDOM_NUM_FUNC_TYPE_UNIFORM_DIS => {
                    let aclrtUniformDisInfo { min, max } = parameters.uniformDisInfo;
                    Distribution::Uniform {
                        min: parameter(min, "min", width)?,
                        max: parameter(max, "max", width)?,
                    }
                }
                ACL_RT_RANDOM_NUM_FUNC_TYPE_NORMAL_DIS | ACL_RT_RANDOM_NUM_FUNC_TYPE_TRUNCATED_NORMAL_DIS => {
                    let aclrtNormalDisInfo { mean, stddev } = parameters.normalDisInfo;
                    Distribution::Normal {
                        mean: parameter(mean, "mean", width)?,
                        deviation: parameter(stddev, "stddev", width)?,
                        is_truncated: kind == ACL_RT_RANDOM_NUM_FUNC_TYPE_TRUNCATED_NORMAL_DIS,
                    }
                }
                ACL_RT_RANDOM_NUM_FUNC_TYPE_DROPOUT_BITMASK => {
                    let ratio = parameters.dropoutBitmaskInfo.dropoutRation;
                    Distribution::DropoutMask { ratio: parameter(ratio, "dropoutRation", width)? }
                }
                _ => {
                    return Err(misuse!(
                        ACL_ERROR_RT_PARAM_INVALID,
                        "there is no function of random numbers {}",
                        kind.0
                    ));
                }
            }
        };
        if !matches!(distribution, Distribution::Uniform { .. }) && !random::is_float(data_type) {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "function {} makes floating-point numbers, not data type {}",
                kind.0,
                data_type.0
            ));
        }
        if !info.randomParaAddr.is_null() {
            device_place(&scope, info.randomParaAddr, WORD, "randomParaAddr")?;
        }
        let random = Random {
            data_type,
            distribution,
            seed: parameter(info.randomSeed, "randomSeed", WORD)?,
            count: parameter(info.randomNum, "randomNum", WORD)?,
            counter: device_place(&scope, info.randomCounterAddr, COUNTER, "randomCounterAddr")?,
            result: device_place(&scope, info.randomResultAddr, 1, "randomResultAddr")
                .map(|_| info.randomResultAddr.expose_provenance())?,
            simulator: Arc::downgrade(&scope.simulator),
        };
        if let Parameter::Value(count) = random.count {
            random.target(&scope.simulator, &stream.device, u64::from_le_bytes(count))?;
        }
        stream.submit(Task::other("RANDOM_NUM", move |stream| random.run(&stream.device))).map(drop)
    }
}

fn parameter(scope: &Scope, info: aclrtRandomParaInfo, name: &str, width: usize) -> Result<Parameter> {
    let size = usize::from(info.size);
    let (least, most) = if info.isAddr == 0 { (1, width) } else { (WORD, WORD) };
    if info.isAddr > 1 || size < least || size > most {
        return Err(misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "{name}: isAddr is {}, which is 0 or 1, and size is {size}, which is within {least} and {most}",
            info.isAddr
        ));
    }
    if info.isAddr == 0 {
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&info.valueOrAddr[..size]);
        return Ok(Parameter::Value(bytes));
    }
    let address = std::ptr::with_exposed_provenance_mut(usize::from_le_bytes(info.valueOrAddr));
    Ok(Parameter::At { place: device_place(scope, address, width, name)?, width })
}

fn device_place(scope: &Scope, address: *mut c_void, length: usize, name: &str) -> Result<Place> {
    if address.is_null() {
        return Err(misuse!(ACL_ERROR_RT_PARAM_INVALID, "{name} is null"));
    }
    let place = Place::find(&scope.simulator, &scope.context.device, address.expose_provenance(), length)?;
    if !place.is_device() {
        return Err(misuse!(ACL_ERROR_RT_INVALID_MEMORY_TYPE, "{name} is not an address of device memory"));
    }
    Ok(place)
}
