//! Physical memory of a device: pages without addresses, which programs map and share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use crate::device::Device;
use crate::error::{Result, failure, misuse};
use crate::handle::{Handle, Kind};
use crate::mapping::SharedFile;
use crate::memory::Page;
use crate::sharing::{Key, Loan};

/// Physical memory, until its handle was freed and nothing maps it any more.
///
/// It is a file of its own, which the system keeps as long as any process has it; the pages that it takes of its
/// device are free again when this process is done with it.
pub(crate) struct Physical {
    pub handle: Handle,
    pub id: u32,
    /// The device that it was made for.
    pub device: Arc<Device>,
    /// The device whose memory it is: another one, if another process shares it.
    pub home: i32,
    pub size: usize,
    pub page: Page,
    origin: Origin,
    /// By what it is shared with other processes.
    key: Mutex<Option<Key>>,
}

enum Origin {
    Own { file: Arc<SharedFile>, pages: Vec<usize> },
    Imported { key: Key, loan: Loan },
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

impl Physical {
    pub(crate) fn new(device: &Arc<Device>, size: usize, page: Page) -> Result<Arc<Self>> {
        let pages = device.memory.take_pages(size / page.bytes(), page)?;
        match SharedFile::new(size) {
            Ok(file) => {
                let origin = Origin::Own { file: Arc::new(file), pages };
                Ok(Self::make(device, device.id, size, page, origin))
            }
            Err(error) => {
                device.memory.give_pages(&pages, page);
                Err(failure!(ACL_ERROR_RT_MEMORY_ALLOCATION, "the host has no {size} bytes: {error}"))
            }
        }
    }

    /// What another process shares.
    pub(crate) fn import(device: &Arc<Device>, key: Key, loan: Loan) -> Result<Arc<Self>> {
        let page = [Page::Normal, Page::Huge, Page::Gigantic].into_iter().find(|p| p.bytes() == loan.page);
        let page = page.ok_or_else(|| {
            failure!(ACL_ERROR_RT_IPC_ERROR, "the other process shares pages of {} bytes", loan.page)
        })?;
        Ok(Self::make(device, loan.device, loan.size, page, Origin::Imported { key, loan }))
    }

    fn make(device: &Arc<Device>, home: i32, size: usize, page: Page, origin: Origin) -> Arc<Self> {
        Arc::new(Self {
            handle: Handle::new(Kind::Physical),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device: Arc::clone(device),
            home,
            size,
            page,
            origin,
            key: Mutex::new(None),
        })
    }

    pub(crate) fn file(&self) -> &SharedFile {
        match &self.origin {
            Origin::Own { file, .. } => file,
            Origin::Imported { loan, .. } => &loan.file,
        }
    }

    pub(crate) fn is_imported(&self) -> bool {
        matches!(self.origin, Origin::Imported { .. })
    }

    /// The key that it was imported by.
    pub(crate) fn imported_by(&self) -> Option<Key> {
        match &self.origin {
            Origin::Own { .. } => None,
            Origin::Imported { key, .. } => Some(*key),
        }
    }

    /// Shares it, once.
    pub(crate) fn share(&self, offer: impl FnOnce(&Arc<SharedFile>) -> Result<Key>) -> Result<Key> {
        let Origin::Own { file, .. } = &self.origin else {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "physical memory {} was imported; only the process that allocated it can share it",
                self.id
            ));
        };
        let mut key = self.key.lock();
        if key.is_some() {
            return Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "physical memory {} is shared already; it has one shareable handle",
                self.id
            ));
        }
        Ok(*key.insert(offer(file)?))
    }

    /// By what it is shared.
    pub(crate) fn key(&self) -> Option<Key> {
        *self.key.lock()
    }
}

impl Drop for Physical {
    fn drop(&mut self) {
        if let Origin::Own { pages, .. } = &self.origin {
            self.device.memory.give_pages(pages, self.page);
        }
    }
}
