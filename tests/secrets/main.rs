//! A canary in every place that may hold a secret appears in no error, no `Debug`, and no log.
//!
//! The first test tells itself, and then a copy of itself whose environment holds credentials, to provoke every fault of a table with
//! every carrier of a secret, while it listens to `tracing` and `log` at their finest level.

#[path = "../../benches/common/mod.rs"]
mod common;
mod ear;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod types;

use std::error::Error as StdError;
use std::process::Command;

/// It may stand in URLs, headers and tokens, and in base64 texts: nothing else contains it.
pub(crate) const CANARY: &str = "C4naryS3cret";
/// `u:C4naryS3cret` and `C4naryS3cret` in base64.
const ENCODED: [&str; 2] = ["dTpDNG5hcnlTM2NyZXQ", "QzRuYXJ5UzNjcmV0"];
/// Set in the copy whose environment holds credentials.
const COPY: &str = "SWATH_TEST_CREDENTIALS";

/// Where a text with the canary in it came from, and the text.
#[derive(Default)]
pub(crate) struct Found(Vec<String>);

impl Found {
    pub(crate) fn look(&mut self, place: &str, text: &str) {
        if text.contains(CANARY) || ENCODED.iter().any(|e| text.contains(e)) {
            let from = text.find(CANARY).unwrap_or(0).saturating_sub(300);
            self.0.push(format!("{place}: …{}", text.get(from..).unwrap_or(text).chars().take(600).collect::<String>()));
        }
    }

    /// An error with all its causes, in all its forms.
    pub(crate) fn look_at_error(&mut self, place: &str, error: &swath::Error) {
        let mut next: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = next {
            self.look(place, &format!("{cause} {cause:?} {cause:#?}"));
            next = cause.source();
        }
        self.look(place, &format!("{:?} {:?}", error.kind(), error.object()));
    }

    fn assert_none(self) {
        assert!(self.0.is_empty(), "{} texts hold the canary:\n{}", self.0.len(), self.0.join("\n\n"));
    }
}

fn everything() {
    let heard = ear::listen();
    let mut found = Found::default();
    let with_credentials = std::env::var_os(COPY).is_some();
    let told = if with_credentials { table::run_clouds(&mut found) } else { table::run(&mut found) };
    types::run(&mut found);
    let lines = heard.lines();
    for line in &lines {
        found.look("log", line);
    }
    found.assert_none();
    // the test is able to fail: there were errors of many kinds, and logs of those that could tell
    let (errors, kinds) = if with_credentials { (80, 2) } else { (400, 9) };
    println!("{} errors of the kinds {:?}, {} lines of logs", told.errors, told.kinds, lines.len());
    assert!(told.errors >= errors && told.kinds.len() >= kinds, "{} errors of the kinds {:?}", told.errors, told.kinds);
    for target in ["hyper", "reqwest"] {
        assert!(lines.iter().any(|l| l.starts_with(target)), "nothing was heard of {target}, in {} lines", lines.len());
    }
}

#[test]
fn no_secret_is_told() {
    if std::env::var_os(COPY).is_some() {
        return everything();
    }
    everything();
    let server = table::cloud();
    let (base, key) = (server.url(""), ENCODED[1].repeat(5));
    let account = |more: &str| format!(r#"{{"private_key":"{CANARY}","private_key_id":"{CANARY}","client_email":"a@b"{more}}}"#);
    let open = format!(r#","disable_oauth":true,"gcs_base_url":"{base}""#);
    for (name, azure, google) in
        [("with credentials", key.as_str(), account(&open)), ("with credentials that are none", "C4naryS3cret!", account(""))]
    {
        let copy = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "no_secret_is_told", "--nocapture"])
            .env(COPY, "1")
            .env("AWS_ACCESS_KEY_ID", CANARY)
            .env("AWS_SECRET_ACCESS_KEY", CANARY)
            .env("AWS_SESSION_TOKEN", CANARY)
            .env("AWS_REGION", "eu-1")
            .env("AWS_ENDPOINT_URL", &base)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AZURE_STORAGE_ACCOUNT_NAME", "account")
            .env("AZURE_STORAGE_ACCOUNT_KEY", azure)
            .env("AZURE_STORAGE_ENDPOINT", &base)
            .env("AZURE_ALLOW_HTTP", "true")
            .env("GOOGLE_SERVICE_ACCOUNT_KEY", &google)
            .env("GOOGLE_ALLOW_HTTP", "true")
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&copy.stdout), String::from_utf8_lossy(&copy.stderr));
        assert!(copy.status.success(), "{name}: {out}\n{err}");
        assert!(out.contains("1 passed"), "{name}: {out}");
        let seen = server.take_seen();
        for secret in [format!("Credential={CANARY}"), "SharedKey account:".to_owned()] {
            let sent = seen.iter().any(|s| s.header("authorization").is_some_and(|a| a.contains(&secret)));
            assert!(sent || name != "with credentials", "no request was let in by {secret}");
        }
    }
}

#[test]
fn the_search_finds() {
    let mut found = Found::default();
    found.look("a", "sig=C4naryS3cret");
    found.look("b", "Basic dTpDNG5hcnlTM2NyZXQ=");
    found.look("c", "nothing");
    found.look_at_error("d", &swath::Error::storage("x").caused_by(std::io::Error::other(CANARY)));
    assert_eq!(found.0.len(), 3, "{:?}", found.0);
}
