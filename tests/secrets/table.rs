//! Every fault with every carrier of a secret.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ndarray::Ix2;
use support::server::{Fault, Server};
use swath::model::Secret;
use swath::{Result, Session, SessionOptions, SignWith, Signed, Signer, StaticToken, TokenEndpoint};

use crate::common::zarr;
use crate::{CANARY, Found, common, support};

/// What became of it all.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) errors: usize,
    /// The first word of the `Debug` of each kind that was met.
    pub(crate) kinds: BTreeSet<String>,
}

/// Where the secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Query,
    UserInfo,
    Header,
    StaticToken,
    StaticHeader,
    Endpoint,
    Callback,
}

const CARRIERS: [Carrier; 7] =
    [Carrier::Query, Carrier::UserInfo, Carrier::Header, Carrier::StaticToken, Carrier::StaticHeader, Carrier::Endpoint, Carrier::Callback];

/// Whether answers may be late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    Usual,
    /// A tenth of a second, for servers that do not answer.
    None,
}

/// Keeps nothing, and does not wait long before it asks again.
pub(crate) fn options() -> SessionOptions {
    let mut options = SessionOptions::default();
    options.threads = 1;
    options.cache_stored = false;
    options.cache_decoded = false;
    options.network.attempts = 2;
    options.network.backoff = Duration::from_millis(1);
    options.network.backoff_most = Duration::from_millis(1);
    options
}

impl Carrier {
    /// A session, and the URL of a path on the server.
    fn session(self, server: &Server, path: &str, patience: Patience) -> (Session, String) {
        let mut options = options();
        if patience == Patience::None {
            options.network.attempts = 1;
            options.network.first_byte_timeout = Duration::from_millis(100);
            options.network.progress_timeout = Duration::from_millis(100);
        }
        let mut url = server.url(path);
        let base = server.url("/acc/con");
        let mut signer: Option<Arc<dyn Signer>> = None;
        match self {
            Self::Query => url = format!("{url}?sv=1&sig={CANARY}&id={CANARY}#{CANARY}"),
            Self::UserInfo => url = url.replacen("://", &format!("://u:{CANARY}@"), 1),
            Self::Header => options.headers = vec![("X-Key".into(), Secret::new(CANARY)), ("Authorization".into(), Secret::new(CANARY))],
            Self::StaticToken => signer = Some(Arc::new(StaticToken::new().with_token(&base, secret_query()).unwrap())),
            Self::StaticHeader => signer = Some(Arc::new(StaticToken::new().with_header(&base, "X-Key", Secret::new(CANARY)).unwrap())),
            Self::Endpoint => {
                let template = format!("{}?code={CANARY}", server.url("/sas/{account}/{container}"));
                let endpoint = TokenEndpoint::new(template).unwrap().with_path_style(&server.url(""));
                signer = Some(Arc::new(endpoint.with_header("X-Key", Secret::new(CANARY)).unwrap()));
            }
            Self::Callback => {
                let sign = |_| async { Ok(Signed::query(secret_query()).and_header("X-Key", Secret::new(CANARY))) };
                signer = Some(Arc::new(SignWith::new(|_| Some(String::new()), sign)));
            }
        }
        let builder = Session::builder(options);
        let session = match signer {
            Some(signer) => builder.with_signer(signer).build().unwrap(),
            None => builder.build().unwrap(),
        };
        (session, url)
    }
}

fn secret_query() -> Secret {
    Secret::new(format!("sv=1&sig={CANARY}"))
}

/// What a server may do, at its worst with the canary in what it says: it knows the secret too.
fn faults(server: &str) -> Vec<(&'static str, Fault)> {
    let echo = |status| Fault::Document(status, format!("<Error><Code>Denied</Code><Message>{CANARY}</Message></Error>"));
    let canary = || CANARY.to_owned();
    vec![
        ("400", echo(400)),
        ("401", echo(401)),
        ("403", echo(403)),
        ("404", Fault::Status(404)),
        ("409", echo(409)),
        ("412", Fault::Status(412)),
        ("416", Fault::NotSatisfiable),
        ("429", Fault::Answer(429, vec![("Retry-After".into(), "0".into())])),
        ("500", echo(500)),
        ("503", echo(503)),
        ("204", Fault::Status(204)),
        ("redirect to another origin", Fault::Redirect(format!("http://127.0.0.2:1/x?sig={CANARY}"))),
        ("redirect to itself", Fault::Redirect(format!("{server}/elsewhere?sig={CANARY}"))),
        ("redirect to nonsense", Fault::Redirect(format!("http://{CANARY}:x/?{CANARY}"))),
        ("no ranges", Fault::IgnoreRanges),
        ("endless", Fault::Endless { told: true }),
        ("short", Fault::Short(1)),
        ("long", Fault::Long(1)),
        ("another range", Fault::OtherRange(1)),
        ("multipart", Fault::Multipart),
        ("gzip", Fault::Gzipped),
        ("encoded", Fault::Header("Content-Encoding".into(), "br".into())),
        ("Content-Range", Fault::ContentRange(format!("bytes {}", canary()))),
        ("shifted", Fault::Shifted),
        ("ETag", Fault::EtagPerAnswer),
        ("cut", Fault::Cut(3)),
        ("chunked cut", Fault::ChunkedCut(3)),
        ("reset", Fault::Reset(None)),
        ("reset within", Fault::Reset(Some(3))),
        ("stall", Fault::Stall(None)),
        ("stall within", Fault::Stall(Some(3))),
        ("flood of headers", Fault::Flood(1 << 20)),
        ("other bytes", Fault::Corrupt(5)),
        ("not JSON", Fault::Document(200, format!("{{\"{CANARY}"))),
    ]
}

fn plane() -> zarr::Array {
    zarr::Array { elements: common::terrain_u16(64), size: 64, chunk: 32, element: 2, packing: zarr::Packing::Zstd }
}

fn put(server: &Server) {
    plane().write_v3().into_iter().for_each(|(key, bytes)| server.put(&format!("/acc/con/data.zarr/{key}"), bytes));
    let image = common::tiff::Image {
        pixels: common::terrain_u16(64),
        size: 64,
        tile: 32,
        element: 2,
        packing: common::tiff::Packing::Zstd,
        predictor: 1,
        overviews: 0,
    };
    server.put("/acc/con/image.tif", image.write());
}

/// Tokens that are good for all but what `fault` makes of answers to requests for objects.
fn with_tokens(server: &Server, everywhere: Option<Fault>) {
    let token = format!(r#"{{"token":"sv=1&sig={CANARY}","msft:expiry":"2100-01-01T00:00:00Z"}}"#);
    server.fault_by(move |seen, _| {
        let is_token = seen.path.starts_with("/sas/");
        if is_token { Some(Fault::Document(200, token.clone())) } else { everywhere.clone() }
    });
}

pub(crate) fn run(found: &mut Found) -> Told {
    let mut told = Told::default();
    let server = Server::start();
    put(&server);
    for carrier in CARRIERS {
        with_tokens(&server, None);
        for (what, attempt) in attempts(carrier, &server, Patience::Usual) {
            let result = attempt();
            assert!(result.is_ok(), "{carrier:?}, {what}: {result:?}");
        }
        // a fault from the start
        for (name, fault) in faults(&server.url("")) {
            let stalls = matches!(fault, Fault::Stall(_));
            with_tokens(&server, Some(fault));
            for (what, attempt) in attempts(carrier, &server, if stalls { Patience::None } else { Patience::Usual }) {
                note(found, &mut told, &format!("{carrier:?}, {name}, {what}"), attempt());
            }
        }
        // a fault between opening and reading
        for (name, fault) in faults(&server.url("")) {
            if matches!(fault, Fault::Stall(_)) {
                continue; // as above, and opening is to have the time that it needs
            }
            with_tokens(&server, None);
            let (session, url) = carrier.session(&server, "/acc/con/data.zarr", Patience::Usual);
            let array = session.block_on(async { session.open_zarr(&url).await?.array("data").await }).unwrap();
            with_tokens(&server, Some(fault));
            let read = session.block_on(array.read::<u16, Ix2>((.., ..))).map(drop);
            note(found, &mut told, &format!("{carrier:?}, {name}, reading"), read);
        }
        // nobody there
        server.refuse();
        for (what, attempt) in attempts(carrier, &server, Patience::Usual) {
            note(found, &mut told, &format!("{carrier:?}, refused, {what}"), attempt());
        }
        server.heal_all();
    }
    endpoints(found, &mut told, &server);
    names(found, &mut told);
    told
}

type Attempt<'a> = Box<dyn Fn() -> Result<()> + 'a>;

fn attempts(carrier: Carrier, server: &Server, patience: Patience) -> Vec<(&'static str, Attempt<'_>)> {
    vec![
        (
            "zarr",
            Box::new(move || {
                let (session, url) = carrier.session(server, "/acc/con/data.zarr", patience);
                session.block_on(async { session.open_zarr(&url).await?.array("data").await?.read::<u16, Ix2>((.., ..)).await.map(drop) })
            }),
        ),
        (
            "cog",
            Box::new(move || {
                let (session, url) = carrier.session(server, "/acc/con/image.tif", patience);
                session.block_on(async { session.open_cog(&url).await?.level(0)?.read_dyn(..).await.map(drop) })
            }),
        ),
    ]
}

fn note<T>(found: &mut Found, told: &mut Told, place: &str, result: Result<T>) {
    if let Err(error) = result {
        found.look_at_error(place, &error);
        told.errors += 1;
        let kind = format!("{:?}", error.kind());
        told.kinds.insert(kind.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned());
    }
}

/// What a token endpoint may answer.
fn endpoints(found: &mut Found, told: &mut Told, server: &Server) {
    let mut faults = faults(&server.url(""));
    for (name, text) in [
        ("no token", format!(r#"{{"tokens":"{CANARY}"}}"#)),
        ("no text", format!(r#"{{"token":["{CANARY}"]}}"#)),
        ("no query", format!(r#"{{"token":"sig={CANARY}\r\nX: y"}}"#)),
        ("no time", format!(r#"{{"token":"sig={CANARY}","msft:expiry":"{CANARY}"}}"#)),
        ("too long", format!(r#"{{"token":"sig={}"}}"#, CANARY.repeat(10_000))),
    ] {
        faults.push((name, Fault::Document(200, text)));
    }
    for (name, fault) in faults {
        // those that never end would keep the endpoint's own clock of 30 seconds waiting
        if matches!(fault, Fault::Stall(_) | Fault::Endless { .. } | Fault::Document(500 | 503, _) | Fault::Answer(429, _)) {
            continue;
        }
        server.fault_by(move |seen, _| seen.path.starts_with("/sas/").then(|| fault.clone()));
        let (session, url) = Carrier::Endpoint.session(server, "/acc/con/data.zarr", Patience::Usual);
        note(found, told, &format!("endpoint, {name}"), session.block_on(session.open_zarr(&url)));
    }
}

/// What is no name, and what no signer takes.
fn names(found: &mut Found, told: &mut Told) {
    let session = Session::with_options(options()).unwrap();
    for url in [
        format!("https://u:{CANARY}@h:port/x?{CANARY}"),
        format!("https://u:{CANARY}@/x?{CANARY}"),
        format!("https://u:{CANARY}@h/a/%2e%2e%2fb/..%2f?sig={CANARY}"),
        format!("gopher://u:{CANARY}@h/x?{CANARY}"),
        format!("https://[{CANARY}/x"),
        format!("http://127.0.0.1:1/x\u{0}?{CANARY}"),
    ] {
        note(found, told, "a name", session.block_on(session.open(&url)));
    }
    let mut bad = options();
    bad.headers = vec![("X-Key".into(), Secret::new(format!("{CANARY}\n")))];
    note(found, told, "a header", Session::with_options(bad));
    note(found, told, "a token", StaticToken::new().with_token("https://h", Secret::new(format!("{CANARY} "))));
    note(found, told, "a prefix", StaticToken::new().with_token(&format!("https://u:{CANARY}@h"), secret_query()));
    note(found, told, "an endpoint", TokenEndpoint::new(format!("https://u:{CANARY}@h:x/{{account}}?{CANARY}")));
    note(found, told, "an endpoint", TokenEndpoint::new(format!("https://u:{CANARY}@h/{{nothing}}?{CANARY}")));
    note(found, told, "a key", TokenEndpoint::planetary_computer(Some(Secret::new(format!("{CANARY}\r\n")))));
}

/// Stores whose credentials are in the environment: their server makes a fault of each bucket, by its number.
pub(crate) fn run_clouds(found: &mut Found) -> Told {
    let mut told = Told::default();
    for number in 0..faults("").len() {
        for url in ["s3://f#/image.tif", "s3://f#/data.zarr", "az://f#/image.tif", "gs://f#/image.tif"] {
            let url = url.replace('#', &number.to_string());
            let session = Session::with_options(options()).unwrap();
            note(found, &mut told, &url, session.block_on(session.open(&url)));
        }
    }
    told
}

/// The server of these stores.
pub(crate) fn cloud() -> Server {
    let server = Server::start();
    let faults: Vec<Fault> = faults(&server.url("")).into_iter().map(|(_, fault)| fault).collect();
    server.fault_by(move |seen, _| {
        let bucket = seen.path.split('/').find_map(|segment| segment.strip_prefix('f')?.parse::<usize>().ok());
        // what never answers would be waited for
        bucket.and_then(|number| faults.get(number)).filter(|fault| !matches!(fault, Fault::Stall(_))).cloned()
    });
    server
}
