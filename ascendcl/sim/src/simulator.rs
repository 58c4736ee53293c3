//! The machine between `aclInit` and `aclFinalize`, and everything on it.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use ascendcl_sys::{ACL_RT_STREAM_STATE_CREATE_POST, ACL_RT_STREAM_STATE_DESTROY_PRE};
use parking_lot::{Mutex, RwLock};

use crate::abi;
use crate::callback::Subscriptions;
use crate::condition::Condition;
use crate::config::{self, Machine};
use crate::context::Context;
use crate::device::Device;
use crate::dump;
use crate::error::{self, Result, failure, misuse};
use crate::event::Event;
use crate::fault;
use crate::graph::{self, Graph, Origin, TaskGroup};
use crate::handle::{Handle, Kind, Registry};
use crate::host_memory::HostMemory;
use crate::init_file::InitFile;
use crate::label::{Label, LabelList};
use crate::mem_pool::MemPool;
use crate::notify::Notify;
use crate::physical::Physical;
use crate::report::{self, Leak, Resource};
use crate::sharing::Offers;
use crate::stream::Stream;
use crate::stream_state;
use crate::virtual_memory::Left;

/// A simulated machine.
pub(crate) struct Simulator {
    pub machine: Machine,
    pub devices: Vec<Arc<Device>>,
    pub contexts: Registry<Context>,
    pub streams: Registry<Stream>,
    pub events: Registry<Event>,
    pub graphs: Registry<Graph>,
    pub task_groups: Registry<TaskGroup>,
    pub conditions: Registry<Condition>,
    pub labels: Registry<Label>,
    pub label_lists: Registry<LabelList>,
    pub mem_pools: Registry<MemPool>,
    pub notifies: Registry<Notify>,
    pub host_memory: HostMemory,
    pub physical_memory: Registry<Physical>,
    /// What other processes may borrow.
    pub offers: Offers,
    pub subscriptions: Subscriptions,
    pub settings: Settings,
}

/// What is set for the whole process.
pub(crate) struct Settings {
    /// Seconds that a task waits for an event; 0 is for ever.
    pub wait_timeout: AtomicU32,
    pub parameters: Mutex<std::collections::HashMap<ascendcl_sys::aclSysParamOpt, i64>>,
    /// The device of threads that choose none.
    pub default_device: Option<i32>,
}

static RUNNING: RwLock<Option<Arc<Simulator>>> = RwLock::new(None);
/// How often `aclInit` was called; held while the machine starts or stops.
static REFERENCES: Mutex<u64> = Mutex::new(0);

/// The machine, if it runs.
pub(crate) fn running() -> Option<Arc<Simulator>> {
    RUNNING.read().clone()
}

/// The machine, which must run.
pub(crate) fn get() -> Result<Arc<Simulator>> {
    running().ok_or_else(|| misuse!(ACL_ERROR_UNINITIALIZE, "aclInit was not called, or aclFinalize was"))
}

/// `aclInit`, with the path of its file.
pub(crate) fn start(file: Option<&str>) -> Result {
    let mut references = REFERENCES.lock();
    if *references > 0 {
        *references += 1;
        return Err(failure!(
            ACL_ERROR_REPEAT_INITIALIZE,
            "aclInit was called before; the call counts for aclFinalizeReference"
        ));
    }
    let InitFile { default_device, messages_of_process, dump } =
        file.map(InitFile::read).transpose()?.unwrap_or_default();
    let refused = |error: config::ConfigError| {
        tracing::error!("{error}");
        failure!(ACL_ERROR_INVALID_PARAM, "{error}")
    };
    let machine = config::machine().map_err(refused)?;
    if let Some(device) = default_device
        && device >= machine.devices.cast_signed()
    {
        return Err(misuse!(
            ACL_ERROR_FILE_ATTR_INVALID,
            "the default device is {device}, and there are {}",
            machine.devices
        ));
    }
    fault::arm_from_environment().map_err(refused)?;
    let memory = usize::try_from(machine.memory)
        .map_err(|_| failure!(ACL_ERROR_INVALID_PARAM, "the memory does not fit the address space"))?;
    let ids = (0..machine.devices).map(u32::cast_signed);
    let simulator = Simulator {
        machine,
        devices: ids.map(|id| Arc::new(Device::new(id, machine.soc, memory))).collect(),
        contexts: Registry::new(Kind::Context),
        streams: Registry::new(Kind::Stream),
        events: Registry::new(Kind::Event),
        graphs: Registry::new(Kind::Graph),
        task_groups: Registry::new(Kind::TaskGroup),
        conditions: Registry::new(Kind::Condition),
        labels: Registry::new(Kind::Label),
        label_lists: Registry::new(Kind::LabelList),
        mem_pools: Registry::new(Kind::MemPool),
        notifies: Registry::new(Kind::Notify),
        host_memory: HostMemory::default(),
        physical_memory: Registry::new(Kind::Physical),
        offers: Offers::default(),
        subscriptions: Subscriptions::default(),
        settings: Settings { wait_timeout: AtomicU32::new(0), parameters: Mutex::default(), default_device },
    };
    report::clear();
    error::collect_for_process(messages_of_process);
    if let Some(dump) = dump {
        dump::configure_at_start(dump);
    }
    tracing::info!(
        devices = machine.devices,
        soc = machine.soc.name,
        bytes_each = machine.memory,
        "simulated devices are ready"
    );
    *RUNNING.write() = Some(Arc::new(simulator));
    *references = 1;
    Ok(())
}

/// Keeps a configuration for the next start.
pub(crate) fn configure(config: config::SimConfig) -> std::result::Result<(), config::ConfigError> {
    let references = REFERENCES.lock();
    if *references > 0 {
        return Err(config::ConfigError::Initialized);
    }
    config::choose(config)
}

/// `aclFinalize`, or, with `one_reference`, `aclFinalizeReference`. Answers with the calls of `aclInit` left.
pub(crate) fn stop(one_reference: bool) -> Result<u64> {
    let mut references = REFERENCES.lock();
    if *references == 0 {
        return Err(misuse!(ACL_ERROR_REPEAT_FINALIZE, "aclFinalize without aclInit"));
    }
    *references = if one_reference { *references - 1 } else { 0 };
    if *references == 0
        && let Some(simulator) = RUNNING.write().take()
    {
        for device in &simulator.devices {
            simulator.release(device, false);
        }
        report::leaked(abi::alive());
        abi::reset();
        fault::disarm_environment();
        dump::reset();
        error::collect_for_process(false);
    }
    Ok(*references)
}

impl Simulator {
    pub(crate) fn device(&self, id: i32) -> Result<&Arc<Device>> {
        usize::try_from(id).ok().and_then(|index| self.devices.get(index)).ok_or_else(|| {
            misuse!(
                ACL_ERROR_RT_INVALID_DEVICEID,
                "there is no device {id}; there are {}",
                self.devices.len()
            )
        })
    }

    /// The device whose memory has an address.
    pub(crate) fn owner(&self, address: usize) -> Option<&Arc<Device>> {
        self.devices.iter().find(|device| device.memory.offset(address).is_some())
    }

    /// Makes the device the thread's, as `aclrtSetDevice` does.
    pub(crate) fn use_device(&self, device: &Arc<Device>) -> Result<Arc<Context>> {
        let mut state = device.state.lock();
        let context = match &state.primary {
            Some(context) => Arc::clone(context),
            None => self.add_context(device, true)?,
        };
        state.primary = Some(Arc::clone(&context));
        state.references += 1;
        drop(state);
        context.make_current();
        Ok(context)
    }

    /// Makes a context, with its default stream, known.
    pub(crate) fn add_context(&self, device: &Arc<Device>, is_primary: bool) -> Result<Arc<Context>> {
        let context = Context::new(device, is_primary)?;
        self.contexts.insert(context.handle, Arc::clone(&context));
        let stream = &context.default_stream;
        self.add_stream(stream);
        Ok(context)
    }

    /// Makes a stream known.
    pub(crate) fn add_stream(&self, stream: &Arc<Stream>) {
        self.streams.insert(stream.handle, Arc::clone(stream));
        stream_state::announce(stream, ACL_RT_STREAM_STATE_CREATE_POST);
    }

    /// The streams of a device.
    pub(crate) fn streams_of(&self, device: i32) -> Vec<Arc<Stream>> {
        let mut streams = self.streams.all();
        streams.retain(|stream| stream.device.id == device);
        streams
    }

    /// Ends a context and its streams, once they have done their work, or at once if not `patient`.
    pub(crate) fn end_context(&self, context: &Context, patient: bool) {
        context.end();
        for stream in self.streams.all() {
            if stream.context == context.handle {
                self.end_stream(&stream, patient);
            }
        }
        // A context that another thread ends meanwhile is gone as well.
        let _ = self.contexts.remove(context.handle.pointer());
    }

    /// Ends a stream, once it has done its work, or at once if not `patient`.
    pub(crate) fn end_stream(&self, stream: &Arc<Stream>, patient: bool) {
        stream_state::announce(stream, ACL_RT_STREAM_STATE_DESTROY_PRE);
        let _ = self.streams.remove(stream.handle.pointer());
        if patient {
            // Errors of its tasks are in the report; nobody can synchronize with it any more.
            let _ = stream.wait(stream.ticket(), None);
        } else {
            stream.abort(false);
        }
        stream.close();
        self.subscriptions.forget(stream);
    }

    /// Ends a graph and what belongs to it.
    pub(crate) fn end_graph(&self, graph: &Graph) {
        self.end_parts(graph.handle);
        if let Origin::Built(build) = &graph.origin {
            build.dissolve();
        }
        // A graph that another thread ends meanwhile is gone as well.
        let _ = self.graphs.remove(graph.handle.pointer());
    }

    /// Ends what belongs to a graph, or to a capture that gave none: task groups, conditions, and branches.
    pub(crate) fn end_parts(&self, graph: Handle) {
        for group in self.task_groups.all().iter().filter(|group| group.graph == graph) {
            let _ = self.task_groups.remove(group.handle.pointer());
        }
        for condition in self.conditions.all().iter().filter(|condition| condition.graph == graph) {
            let _ = self.conditions.remove(condition.handle.pointer());
        }
        for branch in self.graphs.all().iter().filter(|branch| branch.parent() == Some(graph)) {
            self.end_graph(branch);
        }
    }

    /// Shares a notify with other processes no more, if it was shared; those that have it keep it.
    pub(crate) fn forget_notify(&self, notify: &Notify) {
        if let Some(key) = notify.key() {
            self.offers.withdraw(key);
        }
    }

    /// As [`Self::forget_notify`], an event.
    pub(crate) fn forget_event(&self, event: &Event) {
        if let Some(key) = event.shared.as_ref().and_then(|shared| shared.key.get()) {
            self.offers.withdraw(*key);
        }
    }

    /// Lets the memory pools of a device give back what is free, as they do when a stream was waited for.
    pub(crate) fn release_free_memory(&self, device: i32) -> Result {
        let pools = self.mem_pools.all();
        pools.iter().filter(|pool| pool.device.id == device).try_for_each(|pool| pool.release())
    }

    /// What is alive on a device, or on all.
    pub(crate) fn alive(&self, device: Option<i32>) -> Vec<Leak> {
        let mut leaks = Vec::new();
        let mut add = |id: i32, resource: Resource| {
            if device.is_none_or(|device| device == id) {
                leaks.push(Leak { device: id, resource });
            }
        };
        for owner in &self.devices {
            for (address, allocation) in owner.memory.allocations() {
                if allocation.is_pooled() {
                    continue;
                }
                add(owner.id, Resource::DeviceMemory { address, size: allocation.size });
            }
        }
        for owner in &self.devices {
            for left in owner.memory.virtual_memory.left() {
                let address = |offset| owner.memory.address(offset).unwrap_or(offset);
                add(
                    owner.id,
                    match left {
                        Left::Reserved(offset, size) => {
                            Resource::ReservedAddress { address: address(offset), size }
                        }
                        Left::Imported(offset, size) => {
                            Resource::ImportedMemory { address: address(offset), size }
                        }
                    },
                );
            }
        }
        for physical in self.physical_memory.all() {
            add(physical.device.id, Resource::PhysicalMemory { id: physical.id, size: physical.size });
        }
        for (id, offset, size) in self.offers.memory() {
            let address = self.device(id).and_then(|device| device.memory.address(offset));
            add(id, Resource::ExportedMemory { address: address.unwrap_or(offset), size });
        }
        for pinned in self.host_memory.all() {
            let (address, size) = (pinned.address, pinned.size);
            add(
                pinned.device,
                if pinned.is_managed() {
                    Resource::ManagedMemory { address, size }
                } else {
                    Resource::HostMemory { address, size }
                },
            );
        }
        for context in self.contexts.all().iter().filter(|context| !context.is_primary) {
            add(context.device.id, Resource::Context);
        }
        for stream in self.streams.all().iter().filter(|stream| !stream.is_default) {
            add(stream.device.id, Resource::Stream(stream.id));
        }
        for event in self.events.all() {
            add(event.device.id, Resource::Event(event.id));
        }
        for graph in self.graphs.all().iter().filter(|graph| graph.parent().is_none()) {
            add(graph.device, Resource::Graph(graph.id));
        }
        for label in self.labels.all() {
            add(label.device, Resource::Label(label.id));
        }
        for list in self.label_lists.all() {
            add(list.device, Resource::LabelList(list.id));
        }
        for pool in self.mem_pools.all() {
            add(pool.device.id, Resource::MemPool(pool.id));
        }
        for notify in self.notifies.all() {
            add(notify.device.id, Resource::Notify(notify.id));
        }
        if device.is_none() {
            leaks.extend(abi::alive());
        }
        leaks
    }

    /// Gives back everything on a device that is not in use any more, and reports it.
    pub(crate) fn release(&self, device: &Arc<Device>, patient: bool) {
        let id = device.id;
        let leaks = self.alive(Some(id));
        graph::close_captures(id);
        for context in self.contexts.all().iter().filter(|context| context.device.id == id) {
            self.end_context(context, patient && !fault::is_lost(id));
        }
        let mut state = device.state.lock();
        state.references = 0;
        state.primary = None;
        state.peers.clear();
        drop(state);
        for event in self.events.all().iter().filter(|event| event.device.id == id) {
            let _ = self.events.remove(event.handle.pointer());
        }
        for graph in self.graphs.all().iter().filter(|graph| graph.device == id) {
            self.end_graph(graph);
        }
        // Those of captures that gave no graph.
        for condition in self.conditions.all().iter().filter(|condition| condition.device.id == id) {
            let _ = self.conditions.remove(condition.handle.pointer());
        }
        for label in self.labels.all().iter().filter(|label| label.device == id) {
            let _ = self.labels.remove(label.handle.pointer());
        }
        for list in self.label_lists.all().iter().filter(|list| list.device == id) {
            let _ = self.label_lists.remove(list.handle.pointer());
        }
        for pool in self.mem_pools.all().iter().filter(|pool| pool.device.id == id) {
            let _ = self.mem_pools.remove(pool.handle.pointer());
        }
        for notify in self.notifies.all().iter().filter(|notify| notify.device.id == id) {
            let _ = self.notifies.remove(notify.handle.pointer());
        }
        self.host_memory.clear(id);
        self.offers.withdraw_of(id, None);
        for physical in self.physical_memory.all().iter().filter(|physical| physical.device.id == id) {
            let _ = self.physical_memory.remove(physical.handle.pointer());
        }
        device.memory.clear();
        report::leaked(leaks);
    }
}
