//! Signatures that end while objects are read, by Azurite and an endpoint that hands them out for seconds.

mod common;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{Source, tiff};
use support::services::{BUCKET, Depot, send, service};
use swath::model::DataType;
use swath::{ErrorKind, Session, SessionOptions, TokenEndpoint};

/// What a token is good for, in seconds.
const LIFE: f64 = 2.0;
/// Of its life, after which another one is asked for.
const FRESH: f64 = 0.8;
const READERS: usize = 64;
const TIME: Duration = Duration::from_secs(30);

/// The private container, read by tokens that are asked for by this query.
struct World {
    session: Session,
    url: String,
    source: Source,
    tokens: String,
    name: &'static str,
}

impl World {
    fn new(name: &'static str, query: &str) -> Option<Self> {
        let account = service("SWATH_AZURITE")?;
        let tokens = service("SWATH_TOKENS")?;
        let source = Source::new(DataType::U16, &[1, 128, 128], 5);
        let layout = tiff::Layout { compression: tiff::Compression::Deflate, ..tiff::Layout::default() };
        let path = format!("tokens/{name}.tif");
        Depot::azure(BUCKET).put(&path, &tiff::write(&source, &[1, 64, 64], &layout, &|_| false));

        let endpoint = TokenEndpoint::new(format!("{tokens}/{{account}}/{{container}}?for={name}&{query}")).unwrap();
        let endpoint = endpoint.with_path_style(account.rsplit_once('/').unwrap().0);
        let mut options = SessionOptions::default();
        options.threads = 1;
        options.cache_bytes = 0;
        let session = Session::builder(options).with_signer(Arc::new(endpoint)).build().unwrap();
        Some(Self { session, url: format!("{account}/{BUCKET}/{path}"), source, tokens, name })
    }

    fn read(&self) -> swath::Result<()> {
        self.session.block_on(async {
            let array = self.session.open_cog(&self.url).await?.level(0)?;
            let read = array.read_dyn(..).await?;
            assert_eq!(read.into_little_endian(), self.source.bytes);
            Ok(())
        })
    }

    /// How many tokens were asked for.
    fn asked(&self) -> u64 {
        let (status, body) = send("GET", &format!("{}/count?for={}", self.tokens, self.name), &[], b"");
        assert_eq!(status, 200);
        serde_json::from_slice::<serde_json::Value>(&body).unwrap()["count"].as_u64().unwrap()
    }
}

#[test]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number of tokens")]
fn readers_outlive_their_tokens() {
    let Some(world) = World::new("long", &format!("seconds={LIFE}")) else { return };
    let begun = Instant::now();
    let reads = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while begun.elapsed() < TIME {
                    world.read().unwrap();
                    reads.fetch_add(1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
    let (asked, lives) = (world.asked(), begun.elapsed().as_secs_f64() / LIFE);
    eprintln!("{asked} tokens of {LIFE} s in {:?}, {} reads", begun.elapsed(), reads.into_inner());
    assert!(asked <= (lives / FRESH) as u64 + 2, "{asked} tokens in {lives} lives");
    assert!(asked >= 4, "{asked} tokens: none has ended");
}

/// The first token is over when it comes, and the endpoint says so or does not.
#[test]
fn a_token_that_is_over_is_replaced() {
    for (name, claim) in [("over", ""), ("lying", "&claim=600")] {
        let Some(world) = World::new(name, &format!("seconds=60&first=-60{claim}")) else { return };
        world.read().unwrap();
        world.read().unwrap();
        assert_eq!(world.asked(), 2, "{name}");
    }
}

/// No token helps: a refusal is told as one, and the endpoint is not asked for ever.
#[test]
fn a_second_refusal_is_final() {
    let Some(world) = World::new("never", "seconds=-60") else { return };
    let error = world.read().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Denied(_)), "{error}");
    assert!(!error.to_string().contains("sig="), "{error}");
    assert!(world.asked() <= 3, "{}", world.asked());
}
