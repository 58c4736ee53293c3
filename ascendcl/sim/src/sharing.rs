//! What a process shares with others of its user on the machine: memory, notifies, events.
//!
//! Who shares something keeps an offer of it and gives its key away. A process that has the key asks for it at a socket
//! of the one that offers, which is named after that process and ends with it, so that nothing has to be cleaned up. The
//! system itself says who asks, and hands over the file with the memory.
//!
//! The connection stays open as long as the thing is borrowed. So each side sees that the other one is done or dead.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{Error, Result, failure, misuse};
use crate::mapping::{SharedFile, SharedPage};
use crate::{passing, simulator};

/// How long a process waits for the answer of another one.
const PATIENCE: Duration = Duration::from_secs(5);

/// What another process needs to borrow something: who offers it, and which of its offers it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub process: u32,
    id: u32,
}

const PREFIX: &str = "ascendcl-sim";

/// Starts anywhere, so that the key of a process that is gone fits no offer of one that has its number.
static NEXT_ID: LazyLock<AtomicU32> =
    LazyLock::new(|| AtomicU32::new(RandomState::new().hash_one(std::process::id()) as u32));

impl Key {
    fn new() -> Self {
        Self { process: std::process::id(), id: NEXT_ID.fetch_add(1, Ordering::Relaxed) }
    }

    /// As a text of less than 64 characters.
    pub(crate) fn text(self) -> String {
        format!("{PREFIX}-{}-{:08x}", self.process, self.id)
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let parse = || {
            let (process, id) = text.strip_prefix(PREFIX)?.strip_prefix('-')?.split_once('-')?;
            Some(Self { process: process.parse().ok()?, id: u32::from_str_radix(id, 16).ok()? })
        };
        parse().ok_or_else(|| misuse!(ACL_ERROR_RT_PARAM_INVALID, "{text:?} is no key"))
    }

    pub(crate) fn number(self) -> u64 {
        u64::from(self.process) << 32 | u64::from(self.id)
    }

    pub(crate) fn from_number(number: u64) -> Self {
        Self { process: (number >> 32) as u32, id: number as u32 }
    }

    pub(crate) fn is_own(self) -> bool {
        self.process == std::process::id()
    }

    fn socket(self) -> io::Result<SocketAddr> {
        SocketAddr::from_abstract_name(format!("{PREFIX}/{}/{}", passing::user(), self.process))
    }
}

/// What can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Thing {
    Memory = 1,
    Physical = 2,
    Notify = 3,
    Event = 4,
}

impl Thing {
    const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Physical => "physical memory",
            Self::Notify => "a notify",
            Self::Event => "an event",
        }
    }

    fn of(number: u32) -> Option<Self> {
        [Self::Memory, Self::Physical, Self::Notify, Self::Event].into_iter().find(|&t| t as u32 == number)
    }
}

/// Something that this process shares: a part of a file.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub thing: Thing,
    pub device: i32,
    pub start: usize,
    pub size: usize,
    /// The size of the pages that it consists of.
    pub page: usize,
    pub file: Arc<SharedFile>,
}

impl Offer {
    /// A page of counters.
    pub(crate) fn of_page(thing: Thing, device: i32, page: &SharedPage) -> Self {
        Self { thing, device, start: 0, size: HOST_PAGE, page: HOST_PAGE, file: Arc::clone(page.file()) }
    }
}

struct Kept {
    offer: Offer,
    /// The processes that may borrow it; `None` for all of the user.
    allowed: Option<BTreeSet<u32>>,
    borrowers: Vec<Connection>,
}

/// What this process shares, by the ids of the keys.
#[derive(Default)]
pub(crate) struct Offers(Mutex<BTreeMap<u32, Kept>>);

impl Offers {
    /// Shares something: with the processes that are [allowed](Self::allow) to, or with all.
    pub(crate) fn add(&self, offer: Offer, with_all: bool) -> Result<Key> {
        let key = Key::new();
        if let Err(error) = &*SERVER {
            return Err(failure!(ACL_ERROR_RT_IPC_ERROR, "the host has no socket to share by: {error}"));
        }
        let allowed = (!with_all).then(BTreeSet::new);
        self.0.lock().insert(key.id, Kept { offer, allowed, borrowers: Vec::new() });
        Ok(key)
    }

    /// Lets processes borrow what a key stands for.
    pub(crate) fn allow(&self, key: Key, processes: &[i32]) -> Result {
        let mut offers = self.0.lock();
        let kept = offers.get_mut(&key.id).filter(|_| key.is_own()).ok_or_else(|| not_shared(key))?;
        if let Some(allowed) = &mut kept.allowed {
            allowed.extend(processes.iter().map(|process| process.cast_unsigned()));
        }
        Ok(())
    }

    /// Whether this process shares something by the key.
    pub(crate) fn has(&self, key: Key, thing: Thing) -> bool {
        key.is_own() && self.0.lock().get(&key.id).is_some_and(|kept| kept.offer.thing == thing)
    }

    /// Shares something no more. Answers with how many still borrow it; they notice.
    pub(crate) fn withdraw(&self, key: Key) -> usize {
        let kept = if key.is_own() { self.0.lock().remove(&key.id) } else { None };
        kept.map_or(0, |kept| kept.borrowers.iter().filter(|borrower| !borrower.is_over()).count())
    }

    /// As [`Self::withdraw`], all memory of a device that starts at an offset, or, without one, everything of it.
    pub(crate) fn withdraw_of(&self, device: i32, start: Option<usize>) {
        self.0.lock().retain(|_, Kept { offer, .. }| {
            let is_it = start.is_none_or(|start| offer.thing == Thing::Memory && offer.start == start);
            offer.device != device || !is_it
        });
    }

    /// The memory that is shared by keys: devices, offsets and sizes.
    pub(crate) fn memory(&self) -> Vec<(i32, usize, usize)> {
        let offers = self.0.lock();
        let of_memory = offers.values().filter(|kept| kept.offer.thing == Thing::Memory);
        of_memory.map(|Kept { offer, .. }| (offer.device, offer.start, offer.size)).collect()
    }

    /// Answers a process that asks, which then borrows it.
    fn lend(&self, mut connection: UnixStream) -> io::Result<()> {
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        let peer = passing::peer(&connection)?;
        let mut question = [0; Question::SIZE];
        connection.read_exact(&mut question)?;
        let question = Question::read(question);
        let mut offers = self.0.lock();
        let offer = match offers.get_mut(&question.id) {
            _ if peer.user != passing::user() => Err(Refusal::NotAllowed),
            None => Err(Refusal::Unknown),
            Some(kept) if kept.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&peer.process)) => {
                Err(Refusal::NotAllowed)
            }
            Some(kept) if Some(kept.offer.thing) != Thing::of(question.thing) => {
                Err(Refusal::Other(kept.offer.thing))
            }
            Some(kept) => Ok(kept),
        };
        match offer {
            Ok(kept) => {
                let answer = Answer::of(&kept.offer);
                passing::send(&connection, &answer.bytes(), &*kept.offer.file)?;
                kept.borrowers.retain(|borrower| !borrower.is_over());
                kept.borrowers.push(Connection(connection));
                Ok(())
            }
            Err(refusal) => connection.write_all(&Answer::refusal(refusal).bytes()),
        }
    }
}

fn not_shared(key: Key) -> Error {
    misuse!(
        ACL_ERROR_RT_PARAM_INVALID,
        "this process shares nothing by the key {}; it was closed, or is of another process",
        key.text()
    )
}

/// The thread that answers other processes.
static SERVER: LazyLock<std::result::Result<(), String>> = LazyLock::new(|| {
    let start = || {
        let key = Key { process: std::process::id(), id: 0 };
        let listener = UnixListener::bind_addr(&key.socket()?)?;
        thread::Builder::new().name("acl-sharing".into()).spawn(move || serve(&listener)).map(drop)
    };
    start().map_err(|error| error.to_string())
});

fn serve(listener: &UnixListener) {
    for connection in listener.incoming() {
        let lent = connection.and_then(|connection| match simulator::running() {
            Some(simulator) => simulator.offers.lend(connection),
            None => (&connection).write_all(&Answer::refusal(Refusal::Unknown).bytes()),
        });
        if let Err(error) = lent {
            tracing::warn!("another process got no answer: {error}");
        }
    }
}

/// Why something is not lent.
#[derive(Clone, Copy)]
enum Refusal {
    Unknown,
    NotAllowed,
    Other(Thing),
}

struct Question {
    thing: u32,
    id: u32,
}

impl Question {
    const SIZE: usize = 8;

    fn bytes(&self) -> [u8; Self::SIZE] {
        (u64::from(self.thing) << 32 | u64::from(self.id)).to_ne_bytes()
    }

    fn read(bytes: [u8; Self::SIZE]) -> Self {
        let number = u64::from_ne_bytes(bytes);
        Self { thing: (number >> 32) as u32, id: number as u32 }
    }
}

/// 0 or a refusal, the other thing or the device, the start, the size, the size of pages.
struct Answer([u64; 5]);

impl Answer {
    const SIZE: usize = 5 * 8;
    const UNKNOWN: u64 = 1;
    const NOT_ALLOWED: u64 = 2;
    const OTHER: u64 = 3;

    fn of(offer: &Offer) -> Self {
        let device = u64::from(offer.device.cast_unsigned());
        Self([0, device, offer.start as u64, offer.size as u64, offer.page as u64])
    }

    fn refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self([Self::UNKNOWN, 0, 0, 0, 0]),
            Refusal::NotAllowed => Self([Self::NOT_ALLOWED, 0, 0, 0, 0]),
            Refusal::Other(thing) => Self([Self::OTHER, thing as u64, 0, 0, 0]),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|number| number.to_ne_bytes()).collect()
    }

    fn read(bytes: &[u8; Self::SIZE]) -> Self {
        let mut numbers = [0; 5];
        for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *number = u64::from_ne_bytes(*bytes);
        }
        Self(numbers)
    }
}

/// One end of what two processes share something by.
#[derive(Debug)]
pub(crate) struct Connection(UnixStream);

impl Connection {
    /// Whether the other end is closed, or its process dead.
    pub(crate) fn is_over(&self) -> bool {
        passing::is_over(&self.0)
    }
}

/// Something that another process lends.
#[derive(Debug)]
pub(crate) struct Loan {
    pub device: i32,
    pub start: usize,
    pub size: usize,
    pub page: usize,
    pub file: SharedFile,
    connection: Connection,
}

impl Loan {
    /// Whether the process that lends it has taken it back or ended.
    pub(crate) fn is_lost(&self) -> bool {
        self.connection.is_over()
    }
}

/// Borrows memory that a process offers, whose file has to be that long.
pub(crate) fn borrow_memory(key: Key, thing: Thing) -> Result<Loan> {
    let (Answer([_, device, start, size, page]), file, connection) = ask(key, thing)?;
    let read = || {
        let (start, size) = (usize::try_from(start).ok()?, usize::try_from(size).ok().filter(|&s| s > 0)?);
        let page = usize::try_from(page).ok().filter(|page| page.is_power_of_two())?;
        let end = start.checked_next_multiple_of(HOST_PAGE)?.checked_add(size)?;
        Some((start, size, page, end.checked_next_multiple_of(HOST_PAGE)?))
    };
    let (start, size, page, end) = read().ok_or_else(|| unfit(key, &"a range that is none"))?;
    let file = SharedFile::received(file, end).map_err(|error| unfit(key, &error))?;
    Ok(Loan { device: device as i32, start, size, page, file, connection })
}

const HOST_PAGE: usize = 4096;

/// Borrows a page of counters that a process offers. Answers also with the device that it belongs to.
pub(crate) fn borrow_page(key: Key, thing: Thing) -> Result<(OwnedFd, i32, Connection)> {
    let (Answer([_, device, ..]), file, connection) = ask(key, thing)?;
    Ok((file, device as i32, connection))
}

fn unfit(key: Key, what: &dyn std::fmt::Display) -> Error {
    failure!(ACL_ERROR_RT_IPC_ERROR, "process {} answered with something unfit: {what}", key.process)
}

fn ask(key: Key, thing: Thing) -> Result<(Answer, OwnedFd, Connection)> {
    let gone = || {
        misuse!(
            ACL_ERROR_RT_PARAM_INVALID,
            "process {} shares nothing by the key {}: it closed it, or ended",
            key.process,
            key.text()
        )
    };
    let broken = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => gone(),
        _ => failure!(ACL_ERROR_RT_IPC_ERROR, "process {} gives no answer: {error}", key.process),
    };
    let address = key.socket().map_err(broken)?;
    let mut connection = UnixStream::connect_addr(&address).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => gone(),
        _ => broken(error),
    })?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
    connection.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
    if passing::peer(&connection).map_err(broken)?.user != passing::user() {
        return Err(gone());
    }
    connection.write_all(&Question { thing: thing as u32, id: key.id }.bytes()).map_err(broken)?;
    let mut bytes = [0; Answer::SIZE];
    let file = passing::receive(&connection, &mut bytes).map_err(broken)?;
    let answer = Answer::read(&bytes);
    match (answer.0[0], file) {
        (0, Some(file)) => Ok((answer, file, Connection(connection))),
        (Answer::UNKNOWN, _) => Err(gone()),
        (Answer::NOT_ALLOWED, _) => Err(misuse!(
            ACL_ERROR_RT_NO_PERMISSION,
            "process {} does not share {} with process {}, which is not on its list",
            key.process,
            thing.name(),
            std::process::id()
        )),
        (Answer::OTHER, _) => {
            let found = Thing::of(answer.0[1] as u32).map_or("something else", Thing::name);
            Err(misuse!(
                ACL_ERROR_RT_PARAM_INVALID,
                "the key {} stands for {found}, not for {}",
                key.text(),
                thing.name()
            ))
        }
        _ => Err(unfit(key, &"no file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_texts_and_numbers() {
        for key in [Key { process: u32::MAX, id: u32::MAX }, Key { process: 1, id: 0 }] {
            assert!(key.text().len() < 64);
            assert_eq!(Key::parse(&key.text()).unwrap(), key);
            assert_eq!(Key::from_number(key.number()), key);
        }
        for broken in ["", "name", "ascendcl-sim-", "ascendcl-sim-1", "ascendcl-sim-x-1", "ascendcl-sim-1-g"]
        {
            assert!(Key::parse(broken).is_err(), "{broken}");
        }
    }
}
