//! The process that runs the cases, apart from the one that writes the report: what kills it, or hangs in it, is one case.
//!
//! The two talk by lines of JSON over a socket, which is the worker's standard input: what it writes to its other streams is
//! for people, and libraries log there what they like.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::report::{Fact, Latency};
use crate::suite::{Case, Offers, Outcome};

/// How long a worker may take to end when it is told to, or was killed.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why there is nothing to test on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{message}")]
pub struct NotOpened {
    /// What the suite ends with.
    pub exit_status: u8,
    pub message: String,
}

/// What a worker says: once whether it opened the device, then one answer for each case that it is told to run.
#[derive(Debug, Serialize, Deserialize)]
enum Said {
    Opened(Vec<Fact>),
    NotOpened(NotOpened),
    Ended { outcome: Outcome, latency: Vec<Latency> },
}

/// Why a worker has no answer.
#[derive(Debug, Error)]
pub enum Gone {
    #[error("no answer within {} s, which is the limit; the process was killed", .0.as_secs())]
    Hangs(Duration),
    #[error("the process that runs the cases ended: {0}")]
    Ended(String),
    #[error("the process that runs the cases cannot be talked to: {0}")]
    Io(#[from] io::Error),
    #[error("the process that runs the cases said {said:?} instead of {expected}")]
    Other { expected: &'static str, said: String },
}

/// The side of a worker: opens what is tested and runs what it is told to, until there is nobody to tell it.
pub fn serve<C: Offers>(
    socket: UnixStream,
    cases: &[Case<C>],
    open: impl FnOnce() -> Result<(C, Vec<Fact>), NotOpened>,
) -> io::Result<()> {
    let mut to = socket.try_clone()?;
    let mut say = |said: &Said| writeln!(to, "{}", serde_json::to_string(said)?);
    let mut context = match open() {
        Ok((context, facts)) => {
            say(&Said::Opened(facts))?;
            context
        }
        Err(error) => return say(&Said::NotOpened(error)),
    };
    for name in BufReader::new(socket).lines() {
        let name = name?;
        let Some(case) = cases.iter().find(|case| case.name == name) else {
            return Err(io::Error::other(format!("told to run `{name}`, which is no case")));
        };
        let outcome = case.run(&mut context);
        say(&Said::Ended { outcome, latency: context.measured() })?;
    }
    Ok(())
}

/// The socket of a process that was started as a worker.
pub fn socket() -> io::Result<UnixStream> {
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// The other side: a process that runs cases.
pub struct Worker {
    process: Child,
    socket: BufReader<UnixStream>,
    /// How long it may take to open the device, or for a case.
    limit: Duration,
}

impl Worker {
    /// Starts it, and waits until it has opened the device.
    pub fn start(command: Command, limit: Duration) -> Result<(Self, Vec<Fact>), NotOpened> {
        let failed = |error: Gone| NotOpened { exit_status: crate::FAILURES, message: error.to_string() };
        let mut worker = Self::spawn(command, limit).map_err(|error| failed(error.into()))?;
        match worker.answer() {
            Ok(Said::Opened(facts)) => Ok((worker, facts)),
            Ok(Said::NotOpened(error)) => Err(error),
            Ok(other) => Err(failed(unexpected("whether the device was opened", &other))),
            Err(gone) => Err(failed(gone)),
        }
    }

    fn spawn(mut command: Command, limit: Duration) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(limit))?;
        // The command has their end until it is dropped here; nobody but the worker may have it, so that its end is seen.
        let process = command.stdin(OwnedFd::from(theirs)).spawn()?;
        Ok(Self { process, socket: BufReader::new(ours), limit })
    }

    /// Lets it run a case.
    pub fn run(&mut self, case: &str) -> Result<(Outcome, Vec<Latency>), Gone> {
        if let Err(error) = writeln!(self.socket.get_ref(), "{case}") {
            return Err(self.ended().unwrap_or(Gone::Io(error)));
        }
        match self.answer()? {
            Said::Ended { outcome, latency } if outcome.name == case => Ok((outcome, latency)),
            other => Err(unexpected("how the case ended", &other)),
        }
    }

    fn answer(&mut self) -> Result<Said, Gone> {
        let mut line = String::new();
        match self.socket.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => serde_json::from_str(&line)
                .map_err(|_| Gone::Other { expected: "a line of JSON", said: line.trim().to_owned() }),
            Ok(_) => Err(self.ended().unwrap_or_else(|| Gone::Ended("it closed the connection".to_owned()))),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(Gone::Hangs(self.limit))
            }
            // It ended with a line unread.
            Err(error) => Err(self.ended().unwrap_or(Gone::Io(error))),
        }
    }

    fn ended(&mut self) -> Option<Gone> {
        self.wait().map(|status| Gone::Ended(status.to_string()))
    }

    /// Waits for its end, but not for ever: a process that hangs in the driver cannot be ended.
    fn wait(&mut self) -> Option<ExitStatus> {
        let started = Instant::now();
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if started.elapsed() < FAREWELL => thread::sleep(Duration::from_millis(5)),
                _ => return None,
            }
        }
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        let _ = self.process.kill();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Without anybody to tell it what to run, it ends.
        let _ = self.socket.get_ref().shutdown(std::net::Shutdown::Both);
        if self.wait().is_none() {
            let _ = self.process.kill();
            let _ = self.wait();
        }
    }
}

fn unexpected(expected: &'static str, said: &Said) -> Gone {
    Gone::Other { expected, said: format!("{said:?}") }
}
