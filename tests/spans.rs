//! What `tracing` is told: of every opening, read and request, and no secret.

mod common;
mod support;

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::{Source, tiff};
use ndarray::Ix3;
use support::server::{Fault, Server, When};
use swath::model::{DataType, Secret};
use swath::{Session, SessionOptions};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A span or an event: its name (of an event, its message among the fields), and its fields.
#[derive(Debug, Clone, Default)]
struct Told {
    id: u64,
    name: &'static str,
    fields: Vec<(&'static str, String)>,
}

impl Told {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| *n == name).map(|(_, value)| value.as_str())
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }
}

#[derive(Clone, Default)]
struct Recorder {
    told: Arc<Mutex<Vec<Told>>>,
    next: Arc<AtomicU64>,
}

impl Recorder {
    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = Told { id, name: span.metadata().name(), fields: Vec::new() };
        span.record(&mut told);
        self.told.lock().unwrap().push(told);
        Id::from_u64(id)
    }
    fn record(&self, span: &Id, values: &Record<'_>) {
        if let Some(told) = self.told.lock().unwrap().iter_mut().find(|told| told.id == span.into_u64()) {
            values.record(told);
        }
    }
    fn event(&self, event: &Event<'_>) {
        let mut told = Told { name: event.metadata().target(), ..Told::default() };
        event.record(&mut told);
        self.told.lock().unwrap().push(told);
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn spans_tell_the_cost_and_no_secret() {
    let recorder = Recorder::default();
    tracing::subscriber::set_global_default(recorder.clone()).unwrap();
    let server = Server::start();
    let source = Source::new(DataType::U16, &[1, 128, 128], 1);
    let layout = tiff::Layout { compression: tiff::Compression::Deflate, ..tiff::Layout::default() };
    server.put("/a.tif", tiff::write(&source, &[1, 32, 32], &layout, &|_| false));

    let mut options = SessionOptions::default();
    (options.threads, options.cache_bytes) = (2, 0);
    options.network.backoff = std::time::Duration::from_millis(1);
    options.headers.push(("x-key".into(), Secret::new("CANARY")));
    let session = Session::with_options(options).unwrap();
    let url = server.url("/a.tif");
    let cog = session.block_on(session.open_cog(&format!("{url}?sig=CANARY"))).unwrap();
    let level = cog.level(0).unwrap();
    let spans = |told: &[Told], name: &str| told.iter().filter(|t| t.name == name).cloned().collect::<Vec<_>>();

    let opening = recorder.take();
    let [open] = &spans(&opening, "swath.open")[..] else { panic!("{opening:?}") };
    assert_eq!((open.field("object"), open.field("requests")), (Some(url.as_str()), Some("1")));
    assert_eq!(open.field("bytes"), Some(cog.open_stats().bytes.to_string().as_str()));
    assert_eq!(spans(&opening, "swath.fetch").len(), 1);

    server.fault_when("/a.tif", When::First(1), Fault::Status(503));
    let (_, stats) = session.block_on(level.read_with_stats::<u16, Ix3>((.., 0..64, ..))).unwrap();
    let reading = recorder.take();
    let [read] = &spans(&reading, "swath.read")[..] else { panic!("{reading:?}") };
    assert_eq!((read.field("object"), read.field("region")), (Some(url.as_str()), Some("0:1,0:64,0:128")));
    assert_eq!((read.field("chunks"), read.field("requests")), (Some("8"), Some(stats.requests.to_string().as_str())));
    assert_eq!(spans(&reading, "swath.plan").len(), 1);
    let fetches = spans(&reading, "swath.fetch");
    assert_eq!(fetches.len() as u64, stats.requests - stats.retries, "one span a request, however often it is sent");
    assert!(fetches.iter().all(|fetch| fetch.field("start").is_some() && fetch.field("length").is_some()), "{fetches:?}");
    assert!(reading.iter().any(|told| told.field("message") == Some("sent again")), "{reading:?}");

    server.fault_when("/a.tif", When::First(1), Fault::Corrupt(40));
    session.block_on(level.read_dyn(..)).unwrap();
    let mending = recorder.take();
    assert!(mending.iter().any(|told| told.field("message") == Some("fetched again")), "{mending:?}");

    server.fault("/a.tif", Fault::Status(403));
    session.block_on(level.read_dyn(..)).unwrap_err();
    let refused = recorder.take();
    let all = format!("{opening:?}{reading:?}{mending:?}{refused:?}");
    assert!(!all.contains("CANARY"), "{all}");
    assert!(all.contains("swath.read"));
}
