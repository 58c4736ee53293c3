//! What streams do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::callback::Inbox;
use crate::condition::ConditionTask;
use crate::error::Result;
use crate::event::Event;
use crate::graph::Launch;
use crate::graph_build::Flow;
use crate::raw::Call;
use crate::signal::{Outcome, Signal};
use crate::stream::Stream;
use crate::transfer::{Fill, Transfer};

/// A task of a stream.
#[derive(Clone)]
pub(crate) enum Task {
    Copy(Transfer),
    Fill(Fill),
    /// Takes the time for an event.
    Record(Arc<Signal>),
    /// Waits for what an event was recorded as when the wait was queued.
    Wait {
        signal: Arc<Signal>,
        event: Arc<Event>,
        timeout: Option<Duration>,
    },
    /// Takes an event back to its state before the first record.
    Reset(Arc<Event>),
    /// Records an event outside the graph that the task belongs to.
    RecordExternal(Arc<Event>),
    /// Waits for what an event is recorded as when the task runs: one outside the graph that the task belongs to.
    WaitExternal {
        event: Arc<Event>,
        timeout: Option<Duration>,
    },
    /// A call of an operator, or a launch of a kernel: work of the AI cores.
    Operator {
        /// What graphs call it.
        name: &'static str,
        run: Arc<dyn Fn(&Stream) -> Result + Send + Sync>,
    },
    /// Anything else.
    Other {
        /// What graphs call it.
        name: &'static str,
        run: Arc<dyn Fn(&Stream) -> Result + Send + Sync>,
    },
    /// Asks a thread of the program to call a function.
    Callback {
        call: Call,
        inbox: Arc<Inbox>,
        blocks: bool,
    },
    /// Calls a function of the program, in a thread of the program if there is an inbox.
    HostFunction {
        call: Call,
        inbox: Option<Arc<Inbox>>,
    },
    Graph(Arc<Launch>),
    /// Runs branches of the graph that it is part of.
    Condition(Arc<ConditionTask>),
    /// Steers between the streams of the graph that it is part of, which alone does it.
    Flow(Flow),
    /// Stands in a captured graph for an order that the graph keeps anyway.
    Order(&'static str),
}

impl Task {
    /// A task of any other kind.
    pub(crate) fn other(name: &'static str, run: impl Fn(&Stream) -> Result + Send + Sync + 'static) -> Self {
        Self::Other { name, run: Arc::new(run) }
    }

    /// A task of the AI cores.
    pub(crate) fn operator(
        name: &'static str,
        run: impl Fn(&Stream) -> Result + Send + Sync + 'static,
    ) -> Self {
        Self::Operator { name, run: Arc::new(run) }
    }

    /// What type of task it is: two operators are of one type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Operator { .. } => "KERNEL",
            _ => self.name(),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Copy(_) => "MEMCPY",
            Self::Fill(_) => "MEMSET",
            Self::Record(_) | Self::RecordExternal(_) => "EVENT_RECORD",
            Self::Wait { .. } | Self::WaitExternal { .. } => "EVENT_WAIT",
            Self::Reset(_) => "EVENT_RESET",
            Self::Callback { .. } => "CALLBACK",
            Self::HostFunction { .. } => "HOST_FUNC",
            Self::Graph(_) => "MODEL_EXECUTE",
            Self::Condition(task) => task.name(),
            Self::Flow(flow) => flow.name(),
            Self::Operator { name, .. } | Self::Other { name, .. } | Self::Order(name) => name,
        }
    }

    /// Runs on the worker of a stream.
    pub(crate) fn run(&self, stream: &Stream) -> Result {
        match self {
            Self::Copy(transfer) => transfer.run(),
            Self::Fill(fill) => fill.run(),
            Self::Record(signal) => {
                signal.set(Outcome::Done(Instant::now()));
                Ok(())
            }
            Self::Wait { signal, event, timeout } => {
                let waited = stream.block_on(signal, *timeout);
                event.waits.fetch_sub(1, Ordering::AcqRel);
                waited.map(drop)
            }
            Self::Reset(event) => {
                event.lower();
                Ok(())
            }
            Self::RecordExternal(event) => {
                event.raise();
                Ok(())
            }
            Self::WaitExternal { event, timeout } => match event.signal()? {
                Some(signal) => stream.block_on(&signal, *timeout).map(drop),
                None => Ok(()),
            },
            Self::Operator { run, .. } | Self::Other { run, .. } => run(stream),
            Self::Callback { call, inbox, blocks } => {
                let signal = inbox.deliver(*call)?;
                if *blocks { stream.block_on(&signal, None).map(drop) } else { Ok(()) }
            }
            Self::HostFunction { call, inbox: None } => {
                call.run();
                Ok(())
            }
            Self::HostFunction { call, inbox: Some(inbox) } => {
                stream.block_on(&inbox.deliver(*call)?, None).map(drop)
            }
            Self::Graph(launch) => launch.run(stream),
            Self::Condition(task) => task.run(stream),
            Self::Order(_) | Self::Flow(_) => Ok(()),
        }
    }

    /// Settles, for a task that never ran, what others wait for.
    pub(crate) fn discard(&self) {
        match self {
            Self::Record(signal) => signal.set(Outcome::Aborted),
            Self::Wait { event, .. } => {
                event.waits.fetch_sub(1, Ordering::AcqRel);
            }
            Self::Graph(launch) => launch.end(),
            _ => {}
        }
    }
}
