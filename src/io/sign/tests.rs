//! The signatures of an `Io`, with signers that count and a clock that stands.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::*;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(1_000_000) };
}

/// The tests' clock, in seconds: their runtimes have one thread.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW.get())
}

fn pass(seconds: u64) {
    NOW.set(NOW.get() + seconds);
}

/// Numbers its tokens, and answers as often as it is let.
#[derive(Default)]
struct Counts {
    asked: AtomicUsize,
    let_through: Option<Semaphore>,
    life: Option<u64>,
    fails: bool,
    panics: bool,
}

impl Signer for Counts {
    fn scope(&self, url: &str) -> Option<String> {
        url.strip_prefix("https://")?.split('/').next().map(str::to_owned)
    }
    fn sign<'a>(&'a self, _: &'a str) -> Pin<Box<dyn Future<Output = Result<Signed>> + Send + 'a>> {
        Box::pin(async move {
            let number = self.asked.fetch_add(1, SeqCst) + 1;
            if let Some(gate) = &self.let_through {
                gate.acquire().await.unwrap().forget();
            }
            assert!(!self.panics, "asked of it");
            if self.fails {
                return Err(Error::storage("down"));
            }
            let signed = Signed::query(Secret::new(format!("n={number}")));
            Ok(match self.life {
                Some(life) => signed.until(now() + Duration::from_secs(life)),
                None => signed,
            })
        })
    }
}

fn signing(counts: Counts) -> (Arc<Counts>, Signing) {
    let counts = Arc::new(counts);
    (counts.clone(), Signing::with_clock(Some(counts), now))
}

fn token(grant: Result<Option<Grant>>) -> Option<String> {
    grant.unwrap().map(|g| g.signed.query.as_ref().unwrap().expose().to_owned())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Lets tasks get on.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn what_is_nobodys_is_not_signed() {
    let (counts, signing) = signing(Counts::default());
    assert_eq!(token(run(signing.grant("s3://b/x"))), None);
    assert!(!signing.claims("s3://b/x") && signing.claims("https://h/x"));
    assert_eq!(token(run(Signing::new(None).grant("https://h/x"))), None);
    assert_eq!(counts.asked.load(SeqCst), 0);
}

#[test]
fn many_readers_ask_once_for_each_scope() {
    let (counts, signing) = signing(Counts::default());
    run(async {
        let tokens = join_all((0..64).map(|n| signing.grant(if n % 2 == 0 { "https://a/x" } else { "https://b/y" }))).await;
        let tokens: Vec<_> = tokens.into_iter().map(token).collect();
        assert!(tokens.iter().step_by(2).all(|t| *t == tokens[0]) && tokens.iter().skip(1).step_by(2).all(|t| *t == tokens[1]));
        assert_ne!(tokens[0], tokens[1]);
        assert_eq!(token(signing.grant("https://a/z").await), tokens[0]);
    });
    assert_eq!(counts.asked.load(SeqCst), 2);
}

#[test]
fn a_reader_that_is_given_up_does_not_fail_the_others() {
    let (counts, signing) = signing(Counts { let_through: Some(Semaphore::new(0)), ..Counts::default() });
    run(async {
        let first = tokio::spawn({
            let signing = signing.clone();
            async move { signing.grant("https://a/x").await }
        });
        settle().await;
        let second = tokio::spawn(async move { signing.grant("https://a/y").await });
        settle().await;
        first.abort();
        assert!(first.await.is_err());
        counts.let_through.as_ref().unwrap().add_permits(1);
        assert_eq!(token(second.await.unwrap()).as_deref(), Some("n=1"));
        assert_eq!(counts.asked.load(SeqCst), 1);
    });
}

#[test]
fn a_signature_is_renewed_behind_the_readers() {
    let (counts, signing) = signing(Counts { life: Some(1000), let_through: Some(Semaphore::new(1)), ..Counts::default() });
    run(async {
        let ask = async || token(signing.grant("https://a/x").await).unwrap();
        assert_eq!(ask().await, "n=1");
        pass(800);
        assert_eq!(ask().await, "n=1");
        settle().await;
        assert_eq!((ask().await.as_str(), counts.asked.load(SeqCst)), ("n=1", 2), "it is on its way");
        counts.let_through.as_ref().unwrap().add_permits(1);
        settle().await;
        assert_eq!((ask().await.as_str(), counts.asked.load(SeqCst)), ("n=2", 2));
    });
}

#[test]
fn a_signer_that_hangs_does_not_take_away_what_is_still_good() {
    let (counts, signing) = signing(Counts { life: Some(1), let_through: Some(Semaphore::new(1)), ..Counts::default() });
    run(async {
        let first = signing.grant("https://a/x").await;
        // as if it were had long ago, with its last tenth of a second left
        let held = first.unwrap().unwrap();
        let old = Signed { expires: Some(now() + Duration::from_millis(100)), ..(*held.signed).clone() };
        let inner = signing.0.as_ref().unwrap();
        inner.lock().refused("a", held.number, now());
        let Asked::Wait { .. } = inner.lock().ask("a", now() - Duration::from_secs(10), |_| watch::channel(None).1) else {
            panic!("nothing is held")
        };
        inner.lock().settle("a", held.number + 1, Ok(old), now() - Duration::from_secs(10)).unwrap();
        assert_eq!(token(signing.grant("https://a/x").await).as_deref(), Some("n=1"));
        assert_eq!(counts.asked.load(SeqCst), 2, "a new one was asked for");
    });
}

#[test]
fn failures_are_told_to_all_and_not_repeated_at_once() {
    let (counts, signing) = signing(Counts { fails: true, ..Counts::default() });
    run(async {
        for _ in 0..3 {
            let failed = join_all((0..64).map(|_| signing.grant("https://a/x"))).await;
            assert!(failed.iter().all(|f| f.as_ref().is_err_and(|e| e.to_string() == "down")));
        }
        assert_eq!(counts.asked.load(SeqCst), 1);
        pass(1);
        assert!(signing.grant("https://a/x").await.is_err());
        assert_eq!(counts.asked.load(SeqCst), 2);
    });
}

#[test]
fn a_signer_that_panics_is_an_error() {
    let (counts, signing) = signing(Counts { panics: true, ..Counts::default() });
    let error = run(signing.grant("https://a/x")).unwrap_err();
    assert_eq!((error.to_string().as_str(), counts.asked.load(SeqCst)), ("the signer panicked", 1));
}

#[test]
fn a_refusal_brings_one_new_signature_for_all() {
    let (counts, signing) = signing(Counts::default());
    run(async {
        let old = join_all((0..64).map(|_| signing.grant("https://a/x"))).await;
        assert!(old.iter().all(|g| signing.refused(g.as_ref().unwrap().as_ref().unwrap())));
        let new = join_all((0..64).map(|_| signing.grant("https://a/x"))).await;
        assert_eq!(counts.asked.load(SeqCst), 2);
        assert!(!new.iter().any(|g| signing.refused(g.as_ref().unwrap().as_ref().unwrap())), "the second refusal is final");
        assert_eq!(token(signing.grant("https://a/x").await).as_deref(), Some("n=2"));
    });
}

#[test]
fn what_does_not_renew_is_refused_for_good() {
    let fixed = StaticToken::new().with_token("https://a", Secret::new("t=1")).unwrap();
    let signing = Signing::with_clock(Some(Arc::new(fixed)), now);
    let grant = run(signing.grant("https://a/x")).unwrap().unwrap();
    assert!(!signing.refused(&grant));
}

#[test]
fn the_date_of_answers_ends_a_life() {
    let (counts, signing) = signing(Counts { life: Some(1000), ..Counts::default() });
    run(async {
        let grant = async |url: &str| signing.grant(url).await.unwrap().unwrap();
        let number = async || token(signing.grant("https://a/x").await).unwrap();
        let (a, b) = (grant("https://a/x").await, grant("https://b/x").await);
        pass(100);
        signing.date(&b, now() + Duration::from_secs(950));
        assert_eq!(number().await, "n=1", "another host's clock");
        signing.date(&a, now() + Duration::from_secs(950));
        assert_eq!(number().await, "n=3");
        assert_eq!(counts.asked.load(SeqCst), 3);
    });
}
