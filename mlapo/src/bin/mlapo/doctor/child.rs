//! A child process that is listened to, and not waited for for ever.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How often it is looked whether the process has ended.
const TICK: Duration = Duration::from_millis(20);
/// As long as an ended process's last words take to arrive; a descendant that lives on may hold its output open.
const ECHO: Duration = Duration::from_millis(500);

/// A process that was started and is ended, if it has not ended, when this is dropped.
pub struct Listener {
    child: Child,
    lines: Receiver<Line>,
}

/// A line of what a process says.
pub struct Line {
    pub text: String,
    /// On standard error, not on standard output.
    pub is_error: bool,
}

/// What came of waiting.
pub enum Event {
    Said(Line),
    Ended(ExitStatus),
    /// Nothing, to the end of patience.
    Silence,
}

impl Listener {
    /// Starts a process. What of its output is piped is heard.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.spawn()?;
        let (sender, lines) = channel();
        if let Some(output) = child.stdout.take() {
            forward(output, false, sender.clone());
        }
        if let Some(errors) = child.stderr.take() {
            forward(errors, true, sender);
        }
        Ok(Self { child, lines })
    }

    /// Waits for a line or the end, until then at the latest.
    pub fn wait(&mut self, deadline: Instant) -> io::Result<Event> {
        loop {
            match self.lines.recv_timeout(TICK) {
                Ok(line) => return Ok(Event::Said(line)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
            }
            if let Some(status) = self.child.try_wait()? {
                return Ok(self.lines.recv_timeout(ECHO).map_or(Event::Ended(status), Event::Said));
            }
            if Instant::now() > deadline {
                return Ok(Event::Silence);
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // One that hangs in the driver cannot be ended, nor waited for: it is left to itself.
        let _ = self.child.kill();
        let _ = self.child.try_wait();
    }
}

/// Sends the lines of a pipe as they come, to its end or until nobody listens.
fn forward(pipe: impl Read + Send + 'static, is_error: bool, sender: Sender<Line>) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if sender.send(Line { text, is_error }).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    /// What a shell's script says, and how it ends.
    fn listen(script: &str, patience: Duration) -> (Vec<(String, bool)>, Option<i32>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut listener = Listener::start(&mut command).unwrap();
        let deadline = Instant::now() + patience;
        let mut said = Vec::new();
        loop {
            match listener.wait(deadline).unwrap() {
                Event::Said(Line { text, is_error }) => said.push((text, is_error)),
                Event::Ended(status) => return (said, status.code()),
                Event::Silence => return (said, None),
            }
        }
    }

    #[test]
    fn all_that_is_said_is_heard() {
        let (said, code) = listen("echo one; echo two >&2; printf three; exit 4", Duration::from_secs(20));
        let on = |error| said.iter().filter(|line| line.1 == error).map(|line| &*line.0).collect::<Vec<_>>();
        assert_eq!((on(false), on(true), code), (vec!["one", "three"], vec!["two"], Some(4)));
        // More than a pipe takes.
        let (said, code) = listen("seq 100000", Duration::from_secs(20));
        assert_eq!((said.len(), code), (100_000, Some(0)));
    }

    #[test]
    fn silence_has_an_end() {
        let started = Instant::now();
        let (said, code) = listen("echo one; sleep 60", Duration::from_millis(300));
        assert_eq!((said, code), (vec![("one".to_owned(), false)], None));
        // Who is left behind with the pipe does not matter.
        assert_eq!(listen("sleep 60 & exit 5", Duration::from_secs(40)).1, Some(5));
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
