//! Channels of tensors between host and device.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ascendcl_sys::*;

use super::abi;
use super::tensor_desc::MAX_DIMENSIONS;
use crate::channel::{Channel, Message, Patience, Tensor};
use crate::error::{Result, misuse};
use crate::object::Objects;
use crate::report::{Leak, Resource};
use crate::simulator;

struct Item {
    kind: acltdtTensorType,
    data_type: aclDataType,
    dimensions: Vec<i64>,
    data: Data,
}

enum Data {
    /// The program's, at an address.
    Lent { address: usize, size: usize },
    /// What was received.
    Received(Vec<u8>),
}

#[derive(Default)]
struct Dataset {
    /// The items by their numbers, and whether they end with the dataset.
    items: Vec<(usize, bool)>,
}

static ITEMS: Objects<acltdtDataItem, Item> = Objects::new("data item");
static DATASETS: Objects<acltdtDataset, Dataset> = Objects::new("dataset");
static CHANNELS: Objects<acltdtChannelHandle, Arc<Channel>> = Objects::new("channel");

const CAPACITIES: std::ops::RangeInclusive<usize> = 2..=8192;

abi! {
    /// The data stay where they are, and the program's.
    pub fn acltdtCreateDataItem(
        tdt_type: acltdtTensorType,
        dims: *const i64,
        dim_num: usize,
        data_type: aclDataType,
        data: *mut c_void,
        size: usize,
    ) -> *mut acltdtDataItem, else ptr::null_mut(); {
        if tdt_type.0 < ACL_TENSOR_DATA_TENSOR.0 || tdt_type.0 > ACL_TENSOR_DATA_END_TENSOR.0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "there is no type of data item {}", tdt_type.0));
        }
        if dim_num > MAX_DIMENSIONS {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "no shape has {dim_num} dimensions"));
        }
        if data.is_null() && size != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "data is null, and the size is {size}, not 0"));
        }
        let data = Data::Lent { address: data.raw().expose_provenance(), size };
        Ok(ITEMS.add(Item { kind: tdt_type, data_type, dimensions: dims.to_vec(dim_num)?, data }))
    }

    pub fn acltdtDestroyDataItem(data_item: *mut acltdtDataItem) {
        ITEMS.remove(data_item.raw()).map(drop)
    }

    pub fn acltdtGetTensorTypeFromItem(
        data_item: *const acltdtDataItem,
    ) -> acltdtTensorType, else ACL_TENSOR_DATA_UNDEFINED; {
        ITEMS.with(data_item.raw(), |item| item.kind)
    }

    pub fn acltdtGetDataTypeFromItem(data_item: *const acltdtDataItem) -> aclDataType, else ACL_DT_UNDEFINED; {
        ITEMS.with(data_item.raw(), |item| item.data_type)
    }

    /// Received data live as long as their dataset.
    pub fn acltdtGetDataAddrFromItem(data_item: *const acltdtDataItem) -> *mut c_void, else ptr::null_mut(); {
        ITEMS.with(data_item.raw(), |item| match &mut item.data {
            Data::Lent { address, .. } => ptr::with_exposed_provenance_mut(*address),
            Data::Received(data) => data.as_mut_ptr().cast(),
        })
    }

    pub fn acltdtGetDataSizeFromItem(data_item: *const acltdtDataItem) -> usize, else 0; {
        ITEMS.with(data_item.raw(), |item| match &item.data {
            Data::Lent { size, .. } => *size,
            Data::Received(data) => data.len(),
        })
    }

    pub fn acltdtGetDimNumFromItem(data_item: *const acltdtDataItem) -> usize, else 0; {
        ITEMS.with(data_item.raw(), |item| item.dimensions.len())
    }

    pub fn acltdtGetDimsFromItem(data_item: *const acltdtDataItem, dims: *mut i64, dim_num: usize) {
        let dimensions = ITEMS.with(data_item.raw(), |item| item.dimensions.clone())?;
        if dim_num < dimensions.len() {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "{dim_num} are too few for {dimensions:?}"));
        }
        if dimensions.is_empty() { Ok(()) } else { dims.set_all(dimensions) }
    }

    /// Tensors are not cut into slices: each has one.
    pub fn acltdtGetSliceInfoFromItem(
        data_item: *const acltdtDataItem,
        slice_num: *mut usize,
        slice_id: *mut usize,
    ) {
        ITEMS.get(data_item.raw())?;
        slice_id.required()?;
        slice_num.set(1)?;
        slice_id.set(0)
    }

    pub fn acltdtCreateDataset() -> *mut acltdtDataset, else ptr::null_mut(); {
        Ok(DATASETS.add(Dataset::default()))
    }

    /// Items that were received end with it; those that the program added do not.
    pub fn acltdtDestroyDataset(dataset: *mut acltdtDataset) {
        let dataset = DATASETS.remove(dataset.raw())?;
        for &(item, _) in dataset.lock().items.iter().filter(|(_, received)| *received) {
            // The program may have ended it already.
            let _ = ITEMS.remove(ptr::without_provenance(item));
        }
        Ok(())
    }

    pub fn acltdtGetDataItem(
        dataset: *const acltdtDataset,
        index: usize,
    ) -> *mut acltdtDataItem, else ptr::null_mut(); {
        DATASETS.with(dataset.raw(), |dataset| match dataset.items.get(index) {
            Some((item, _)) => Ok(ptr::without_provenance_mut(*item)),
            None => Err(misuse!(
                ACL_ERROR_INVALID_PARAM,
                "there are {} items, hence none of index {index}",
                dataset.items.len()
            )),
        })?
    }

    pub fn acltdtAddDataItem(dataset: *mut acltdtDataset, data_item: *mut acltdtDataItem) {
        ITEMS.get(data_item.raw())?;
        DATASETS.with(dataset.raw(), |dataset| dataset.items.push((data_item.raw().addr(), false)))
    }

    pub fn acltdtGetDatasetSize(dataset: *const acltdtDataset) -> usize, else 0; {
        DATASETS.with(dataset.raw(), |dataset| dataset.items.len())
    }

    /// Null: nothing on the simulated device names datasets.
    pub fn acltdtGetDatasetName(dataset: *const acltdtDataset) -> *const c_char, else ptr::null(); {
        DATASETS.get(dataset.raw()).map(|_| ptr::null())
    }

    pub fn acltdtCreateChannel(
        device_id: u32,
        name: *const c_char,
    ) -> *mut acltdtChannelHandle, else ptr::null_mut(); {
        let device = check_channel(device_id, &name.text()?)?;
        Ok(CHANNELS.add(Arc::new(Channel::new(device, *CAPACITIES.end()))))
    }

    pub fn acltdtCreateChannelWithCapacity(
        device_id: u32,
        name: *const c_char,
        capacity: usize,
    ) -> *mut acltdtChannelHandle, else ptr::null_mut(); {
        let device = check_channel(device_id, &name.text()?)?;
        if !CAPACITIES.contains(&capacity) {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the capacity is {capacity}, not in {CAPACITIES:?}"));
        }
        Ok(CHANNELS.add(Arc::new(Channel::new(device, capacity))))
    }

    pub fn acltdtStopChannel(handle: *mut acltdtChannelHandle) {
        CHANNELS.with(handle.raw(), |channel| channel.stop())
    }

    pub fn acltdtDestroyChannel(handle: *mut acltdtChannelHandle) {
        let channel = CHANNELS.remove(handle.raw())?;
        channel.lock().stop();
        Ok(())
    }

    pub fn acltdtCleanChannel(handle: *mut acltdtChannelHandle) {
        CHANNELS.with(handle.raw(), |channel| channel.clear())
    }

    pub fn acltdtQueryChannelSize(handle: *const acltdtChannelHandle, size: *mut usize) {
        size.set(CHANNELS.with(handle.raw(), |channel| channel.len())?)
    }

    /// Copies the data, which the program may change afterwards.
    pub fn acltdtSendTensor(handle: *const acltdtChannelHandle, dataset: *const acltdtDataset, timeout: i32) {
        let patience = patience(timeout)?;
        let channel = CHANNELS.with(handle.raw(), |channel| Arc::clone(channel))?;
        let items: Vec<usize> =
            DATASETS.with(dataset.raw(), |dataset| dataset.items.iter().map(|(item, _)| *item).collect())?;
        let message: Message = items.into_iter().map(packed).collect::<Result<_>>()?;
        channel.send(message, patience)
    }

    /// The dataset must be empty.
    pub fn acltdtReceiveTensor(handle: *const acltdtChannelHandle, dataset: *mut acltdtDataset, timeout: i32) {
        let patience = patience(timeout)?;
        let channel = CHANNELS.with(handle.raw(), |channel| Arc::clone(channel))?;
        let dataset = DATASETS.get(dataset.raw())?;
        let present = dataset.lock().items.len();
        if present != 0 {
            return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the dataset has {present} items already"));
        }
        let received = channel.receive(patience)?.into_iter().map(|Tensor { kind, data_type, dimensions, data }| {
            let item = ITEMS.add(Item { kind, data_type, dimensions, data: Data::Received(data) });
            (item.addr(), true)
        });
        dataset.lock().items.extend(received);
        Ok(())
    }
}

/// The channels that are alive.
pub(super) fn alive() -> Vec<Leak> {
    let leak = |channel: Arc<Channel>| Leak { device: channel.device, resource: Resource::Channel };
    CHANNELS.all().iter().map(|channel| leak(Arc::clone(&channel.lock()))).collect()
}

/// Ends all channels; those who wait give up.
pub(super) fn reset() {
    for channel in CHANNELS.all() {
        channel.lock().stop();
    }
    CHANNELS.clear();
}

fn check_channel(device: u32, name: &str) -> Result<i32> {
    let simulator = simulator::get()?;
    let device = simulator.device(i32::try_from(device).unwrap_or(-1))?.id;
    if name.is_empty() {
        return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the name of the channel is empty"));
    }
    Ok(device)
}

/// Milliseconds; 0 is not to wait, and -1 to wait for ever.
pub(super) fn patience(milliseconds: i32) -> Result<Patience> {
    match u64::try_from(milliseconds) {
        Ok(0) => Ok(Patience::None),
        Ok(milliseconds) => {
            Ok(Patience::Until(Instant::now().checked_add(Duration::from_millis(milliseconds))))
        }
        Err(_) if milliseconds == -1 => Ok(Patience::Until(None)),
        Err(_) => Err(misuse!(ACL_ERROR_INVALID_PARAM, "{milliseconds} milliseconds are no timeout")),
    }
}

/// A copy of an item.
fn packed(item: usize) -> Result<Tensor> {
    let item = ITEMS.get(ptr::without_provenance(item))?;
    let item = item.lock();
    let data = match &item.data {
        Data::Received(data) => data.clone(),
        Data::Lent { size: 0, .. } => Vec::new(),
        &Data::Lent { address, size } => {
            if simulator::get()?.owner(address).is_some() {
                return Err(misuse!(ACL_ERROR_INVALID_PARAM, "the data are on a device, not on the host"));
            }
            // SAFETY: Not null and not of a device, hence host memory that the program keeps for the call.
            unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance::<u8>(address), size) }.to_vec()
        }
    };
    Ok(Tensor { kind: item.kind, data_type: item.data_type, dimensions: item.dimensions.clone(), data })
}
