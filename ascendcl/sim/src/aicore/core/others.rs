//! What a core does together with the others: flags between cores, meetings of all, and memory that they post.

use std::sync::atomic::AtomicU32;

use super::{Core, Ended, Issued, POLLS};
use crate::aicore::abi::{self, CoreType, Pipe, Site, SyncScope};
use crate::aicore::check::Knowledge;
use crate::aicore::cross;
use crate::aicore::fault::Fault;
use crate::aicore::memory::{Address, Space};

impl<'m> Core<'_, 'm> {
    pub(super) fn cross_set(&mut self, set: &abi::CrossSet, issued: &Issued<'_>) -> Result<(), Ended> {
        if issued.pipe == Pipe::Scalar {
            let what = "a flag for other cores cannot be set by the scalar pipe".to_owned();
            return self.refuse(Some(issued.instruction), issued.site, &Fault::Unsupported(what));
        }
        let flag = self.cross_flag(set.flag, issued)?;
        let checker = self.checker.as_mut().zip(issued.ticket);
        let knowledge = checker
            .map(|(checker, ticket)| checker.cross_set(ticket, issued.pipe, set.mode, flag, issued.site));
        match self.schedule.cross_set(self.number, set.mode, flag, knowledge) {
            None => {
                let what = format!("a kernel of this type has no flags of mode {} here", set.mode);
                self.refuse(Some(issued.instruction), issued.site, &Fault::Unsupported(what))
            }
            Some(overflow) => {
                if let Some(checker) = self.checker.as_mut().filter(|_| overflow) {
                    checker.flag_overflow(issued.pipe, set.mode, flag, issued.site);
                }
                Ok(())
            }
        }
    }

    /// The flag that the hardware takes for this number: its lowest bits. The sanitizer is told of others.
    fn cross_flag(&mut self, flag: u32, issued: &Issued<'_>) -> Result<u32, Ended> {
        let most = u64::from(cross::FLAGS - 1);
        if self.checker.is_some() && u64::from(flag) > most {
            let fault = Fault::Field { field: "the flag", value: flag.into(), least: 0, most };
            self.refuse(Some(issued.instruction), issued.site, &fault)?;
        }
        Ok(flag % cross::FLAGS)
    }

    pub(super) fn cross_wait(&mut self, wait: &abi::CrossWait, issued: &Issued<'_>) -> Result<(), Ended> {
        let flag = self.cross_flag(wait.flag, issued)?;
        match self.schedule.cross_wait(self.number, flag) {
            Err(stopped) => self.stopped(stopped, issued),
            Ok(known) => {
                if let Some(checker) = &mut self.checker {
                    checker.cross_wait(wait.mode, flag, &known, issued.site);
                }
                Ok(())
            }
        }
    }

    pub(super) fn sync_all(&mut self, meeting: &abi::SyncAll, issued: &Issued<'_>) -> Result<(), Ended> {
        let all = SyncScope::of(meeting.scope).map(|scope| (scope, self.schedule.layout().meeting(scope)));
        let Some((scope, all)) = all.filter(|&(scope, _)| self.takes_part(scope)) else {
            let what = format!("the core is not of the cores that meet (scope {})", meeting.scope);
            return self.refuse(Some(issued.instruction), issued.site, &Fault::Unsupported(what));
        };
        if meeting.cores as usize > all {
            let fault = Fault::Field {
                field: "the number of cores",
                value: meeting.cores.into(),
                least: 0,
                most: all as u64,
            };
            return self.refuse(Some(issued.instruction), issued.site, &fault);
        }
        self.drained()?;
        let cores = if meeting.cores == 0 { all } else { meeting.cores as usize };
        let knowledge = self.checker.as_mut().map(|checker| checker.sync_arrive(scope, issued.site));
        match self.schedule.meet(self.number, scope, cores, knowledge) {
            Err(stopped) => self.stopped(stopped, issued),
            Ok(known) => {
                if let Some(checker) = &mut self.checker {
                    checker.sync_leave(scope, &known);
                }
                Ok(())
            }
        }
    }

    fn takes_part(&self, scope: SyncScope) -> bool {
        match scope {
            SyncScope::Vector => self.place().core_type == CoreType::Aiv,
            SyncScope::Cube => self.place().core_type == CoreType::Aic,
            SyncScope::Mixed => true,
        }
    }

    pub(super) fn post_memory(&mut self, post: &abi::PostMemory, issued: &Issued<'_>) -> Result<(), Ended> {
        let (address, word) = match self.word(post.address) {
            Ok(found) => found,
            Err(fault) => return self.refuse(Some(issued.instruction), issued.site, &fault),
        };
        let knowledge: Option<Knowledge> =
            self.checker.as_mut().map(|checker| checker.post_memory(Address(post.address), issued.site));
        self.schedule.post_memory(address, word, post.value, knowledge);
        Ok(())
    }

    pub(super) fn wait_memory(&mut self, wait: &abi::WaitMemory, issued: &Issued<'_>) -> Result<(), Ended> {
        let (address, word) = match self.word(wait.address) {
            Ok(found) => found,
            Err(fault) => return self.refuse(Some(issued.instruction), issued.site, &fault),
        };
        match self.schedule.wait_memory(self.number, address, word, wait.value, wait.reset) {
            Err(stopped) => self.stopped(stopped, issued),
            Ok(known) => {
                if let Some(checker) = &mut self.checker {
                    checker.wait_memory(Address(wait.address), &known, issued.site);
                }
                Ok(())
            }
        }
    }

    /// A word of global memory, and its address as programs know it.
    fn word(&self, address: u64) -> Result<(u64, &'m AtomicU32), Fault> {
        let address = Address(address);
        if address.space() != Some(Space::Gm) {
            return Err(Fault::NoSuchMemory { address });
        }
        let pointer = self.memory.at(address, 4)?;
        if !pointer.cast::<u32>().is_aligned() {
            return Err(Fault::Misaligned { operand: "the word", address, alignment: 4 });
        }
        // SAFETY: Four bytes of global memory, aligned, which stay mapped during the launch.
        let word = unsafe { AtomicU32::from_ptr(pointer.cast()) };
        Ok((self.memory.global().device_address(address.offset()), word))
    }

    pub(super) fn pause(&mut self, site: Site) -> Result<(), Ended> {
        match self.schedule.pause(self.number, self.polls > POLLS) {
            Ok(()) => Ok(()),
            Err(stopped) => self.ended(stopped, Pipe::Scalar, site, "CleanCache"),
        }
    }
}
