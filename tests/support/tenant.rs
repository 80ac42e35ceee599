//! A storage account on the loopback that lets in what is signed, and the endpoint that hands out its tokens.
//!
//! Objects are at `/{account}/{container}/…`, tokens at `/sas/{account}/{container}`. A token is good for its container and until it ends, by the
//! server's clock; it says so in its signature, so that the storage needs to remember nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::server::{Fault, Seen, Server};

/// What the endpoint answers, where it does not hand out a good token.
#[derive(Debug, Clone)]
pub(crate) enum Handed {
    /// A token that ended an hour ago.
    Over,
    /// A token for another container.
    Foreign,
    /// A status and a body.
    Says(u16, String),
}

/// A storage account and its endpoint.
pub(crate) struct Tenant {
    pub(crate) server: Server,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    life: Duration,
    /// Given out before any good token.
    first: VecDeque<Handed>,
    /// Given out whenever there is nothing in `first`, instead of a good token.
    always: Option<Handed>,
    /// Requests for tokens.
    asked: Vec<Seen>,
    /// Requests for objects that were refused.
    refused: usize,
}

impl Tenant {
    /// With tokens of this life.
    pub(crate) fn start(life: Duration) -> Self {
        Self::start_failing(life, |_| None)
    }

    /// As [`start`](Self::start), but for the answers that `fault` has another idea of.
    pub(crate) fn start_failing(life: Duration, fault: impl Fn(&Seen) -> Option<Fault> + Send + Sync + 'static) -> Self {
        let server = Server::start();
        let book = Arc::new(Mutex::new(Book { life, ..Book::default() }));
        server.fault_by({
            let book = book.clone();
            move |seen, _| {
                if let Some(fault) = fault(seen) {
                    return Some(fault);
                }
                let mut book = book.lock().unwrap();
                match seen.path.strip_prefix("/sas/") {
                    Some(place) => Some(book.hand_out(place, seen)),
                    None if is_let_in(seen) => None,
                    None => {
                        book.refused += 1;
                        Some(Fault::Status(403))
                    }
                }
            }
        });
        Self { server, book }
    }

    pub(crate) fn first(&self, handed: impl IntoIterator<Item = Handed>) {
        self.book.lock().unwrap().first.extend(handed);
    }

    pub(crate) fn always(&self, handed: Option<Handed>) {
        self.book.lock().unwrap().always = handed;
    }

    /// The requests for tokens so far.
    pub(crate) fn asked(&self) -> Vec<Seen> {
        self.book.lock().unwrap().asked.clone()
    }

    /// How many requests for objects were refused so far.
    pub(crate) fn refused(&self) -> usize {
        self.book.lock().unwrap().refused
    }

    /// The template of the endpoint's URL.
    pub(crate) fn template(&self) -> String {
        self.server.url("/sas/{account}/{container}")
    }
}

impl Book {
    fn hand_out(&mut self, place: &str, seen: &Seen) -> Fault {
        self.asked.push(seen.clone());
        let end = SystemTime::now() + self.life;
        match self.first.pop_front().or_else(|| self.always.clone()) {
            None => document(place, end),
            Some(Handed::Over) => document(place, SystemTime::now() - Duration::from_secs(3600)),
            Some(Handed::Foreign) => document("other/container", end),
            Some(Handed::Says(status, text)) => Fault::Document(status, text),
        }
    }
}

/// The token is told with the end that it has; a clock in text, to the millisecond.
fn document(place: &str, end: SystemTime) -> Fault {
    let millis = end.duration_since(UNIX_EPOCH).unwrap().as_millis();
    let end = rfc3339(millis);
    let token = format!("sp=r&se={}&sig={}.{millis}", end.replace(':', "%3A"), place.replace('/', "."));
    Fault::Document(200, format!(r#"{{"msft:expiry":"{end}","token":"{token}"}}"#))
}

/// Whether the signature is for this container, and not over.
fn is_let_in(seen: &Seen) -> bool {
    let signatures: Vec<&str> = seen.query.as_deref().unwrap_or_default().split('&').filter_map(|p| p.strip_prefix("sig=")).collect();
    let [signature] = signatures[..] else { return false };
    let Some((place, end)) = signature.rsplit_once('.') else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let object = seen.path.trim_start_matches('/').replace('/', ".");
    object.starts_with(&format!("{place}.")) && end.parse::<u128>().is_ok_and(|end| end > now)
}

fn rfc3339(millis: u128) -> String {
    let date = super::server::date::http_date(UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap()));
    let words: Vec<&str> = date.split(' ').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|m| *m == words[2]).unwrap() + 1;
    format!("{}-{month:02}-{}T{}.{:03}Z", words[3], words[1], words[4], millis % 1000)
}
