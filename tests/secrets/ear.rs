//! Hears what is said through `tracing` and `log`, at their finest level.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Lines, each with the name of who said it before it.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
    fn hear(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }
}

/// From now on all of the process is heard. Once in a process.
pub(crate) fn listen() -> Heard {
    let heard = Heard::default();
    tracing::subscriber::set_global_default(Traces { heard: heard.clone(), next: AtomicU64::new(1) }).unwrap();
    log::set_logger(Box::leak(Box::new(Logs(heard.clone())))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    heard
}

struct Traces {
    heard: Heard,
    next: AtomicU64,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Traces {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut line = Line(format!("{} {}", span.metadata().target(), span.metadata().name()));
        span.record(&mut line);
        self.heard.hear(line.0);
        Id::from_u64(self.next.fetch_add(1, Ordering::Relaxed))
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut line = Line("record".to_owned());
        values.record(&mut line);
        self.heard.hear(line.0);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("{} {}", event.metadata().target(), event.metadata().name()));
        event.record(&mut line);
        self.heard.hear(line.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Logs(Heard);

impl log::Log for Logs {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        self.0.hear(format!("{} {}", record.target(), record.args()));
    }
    fn flush(&self) {}
}
