//! Contexts and their parameters.

use std::collections::HashMap;

use ascendcl_sys::*;

use super::abi;
use super::device::usable;
use crate::context;
use crate::error::{Result, misuse};
use crate::simulator;

abi! {
    /// Makes the device's primary context, too, if it has none.
    pub fn aclrtCreateContext(context: *mut aclrtContext, device_id: i32) {
        let simulator = simulator::get()?;
        context.required()?;
        let device = usable(&simulator, device_id)?;
        let mut state = device.state.lock();
        if state.primary.is_none() {
            state.primary = Some(simulator.add_context(device, true)?);
            state.references += 1;
        }
        drop(state);
        let made = simulator.add_context(device, false)?;
        made.make_current();
        context.set(aclrtContext(made.handle.pointer()))
    }

    /// Waits for the work of the context's streams, which end with it.
    pub fn aclrtDestroyContext(context: aclrtContext) {
        let simulator = simulator::get()?;
        let found = simulator.contexts.get(context.0)?;
        if found.is_primary {
            return Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "the context of aclrtSetDevice ends with aclrtResetDevice"
            ));
        }
        simulator.end_context(&found, true);
        Ok(())
    }

    pub fn aclrtSetCurrentContext(context: aclrtContext) {
        simulator::get()?.contexts.get(context.0)?.make_current();
        Ok(())
    }

    pub fn aclrtGetCurrentContext(context: *mut aclrtContext) {
        simulator::get()?;
        context.set(aclrtContext(context::current()?.handle.pointer()))
    }

    pub fn aclrtCtxGetCurrentDefaultStream(stream: *mut aclrtStream) {
        simulator::get()?;
        stream.set(aclrtStream(context::current()?.default_stream.handle.pointer()))
    }

    pub fn aclrtCtxSetSysParamOpt(opt: aclSysParamOpt, value: i64) {
        simulator::get()?;
        set_parameter(&mut context::current()?.parameters.lock(), opt, value)
    }

    pub fn aclrtCtxGetSysParamOpt(opt: aclSysParamOpt, value: *mut i64) {
        simulator::get()?;
        value.set(parameter(&context::current()?.parameters.lock(), opt)?)
    }

    pub fn aclrtSetSysParamOpt(opt: aclSysParamOpt, value: i64) {
        set_parameter(&mut simulator::get()?.settings.parameters.lock(), opt, value)
    }

    pub fn aclrtGetSysParamOpt(opt: aclSysParamOpt, value: *mut i64) {
        value.set(parameter(&simulator::get()?.settings.parameters.lock(), opt)?)
    }
}

fn check(opt: aclSysParamOpt) -> Result {
    if opt.0 > ACL_OPT_ENABLE_KERNEL_EARLY_START.0 {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no system parameter {}", opt.0));
    }
    Ok(())
}

fn set_parameter(parameters: &mut HashMap<aclSysParamOpt, i64>, opt: aclSysParamOpt, value: i64) -> Result {
    check(opt)?;
    parameters.insert(opt, value);
    Ok(())
}

fn parameter(parameters: &HashMap<aclSysParamOpt, i64>, opt: aclSysParamOpt) -> Result<i64> {
    check(opt)?;
    parameters
        .get(&opt)
        .copied()
        .ok_or_else(|| misuse!(ACL_ERROR_RT_SYSPARAMOPT_NOT_SET, "system parameter {} was not set", opt.0))
}
