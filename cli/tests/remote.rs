//! The command against a server on the loopback: plain HTTP, and the S3 protocol with and without a signature.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::server::{Fault, Seen, Server};

const KEY: &str = "canary-key";
const SECRET: &str = "canary-secret";

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)).unwrap()
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("swath-remote-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs the command with the environment of an S3 whose endpoint is the server.
fn swath(server: &Server, arguments: &[&str]) -> Output {
    let environment = [
        ("AWS_ENDPOINT_URL", server.url("")),
        ("AWS_ALLOW_HTTP", "true".into()),
        ("AWS_REGION", "eu-1".into()),
        ("AWS_ACCESS_KEY_ID", KEY.into()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
    ];
    Command::new(env!("CARGO_BIN_EXE_swath")).args(arguments).envs(environment).output().unwrap()
}

fn read(server: &Server, scratch: &Scratch, url: &str, more: &[&str]) -> (Vec<u8>, Vec<Seen>) {
    let out = scratch.path("out.bin");
    let output = swath(server, &[&["read", url, "--region", ":,100:300,7:9", "-o", &out], more].concat());
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    (std::fs::read(out).unwrap(), server.take_seen())
}

#[test]
fn the_same_bytes_over_http_and_s3() {
    let (server, scratch) = (Server::start(), Scratch::new("same"));
    server.put("/bucket/scene.tif", fixture("scene.tif"));
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/scene.tif");
    let (expected, none) = read(&server, &scratch, local.to_str().unwrap(), &[]);
    assert!(none.is_empty());

    let (plain, seen) = read(&server, &scratch, &server.url("/bucket/scene.tif"), &["--header", "X-K: v"]);
    assert_eq!(plain, expected);
    assert!(seen.iter().all(|s| s.header("x-k") == Some("v") && s.header("authorization").is_none()), "{seen:?}");

    let (signed, seen) = read(&server, &scratch, "s3://bucket/scene.tif", &[]);
    assert_eq!(signed, expected);
    assert!(!seen.is_empty() && seen.iter().all(|s| s.path == "/bucket/scene.tif"), "{seen:?}");
    assert!(seen.iter().all(|s| s.header("authorization").is_some_and(|a| a.contains(KEY))), "{seen:?}");

    let (open, seen) = read(&server, &scratch, "s3://bucket/scene.tif", &["--anon"]);
    assert_eq!(open, expected);
    assert!(!seen.is_empty() && seen.iter().all(|s| s.header("authorization").is_none()), "{seen:?}");
}

#[test]
fn tokens_come_from_the_environment() {
    let (server, scratch) = (Server::start(), Scratch::new("tokens"));
    server.put("/bucket/scene.tif", fixture("scene.tif"));
    let url = server.url("/bucket/scene.tif");
    let run = |token: Option<&str>, arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swath"));
        command.args([&["read", &url, "--region", ":,0:10,0:10", "-o", &scratch.path("out.bin")], arguments].concat());
        command.env_remove("SWATH_SAS_TOKEN").envs(token.map(|t| ("SWATH_SAS_TOKEN", t)));
        command.output().unwrap()
    };
    let output = run(Some("?sp=r&sig=canary-token"), &["--sas-token"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seen = server.take_seen();
    assert!(!seen.is_empty() && seen.iter().all(|s| s.query.as_deref() == Some("sp=r&sig=canary-token")), "{seen:?}");

    for (token, arguments, said) in [
        (None, &["--sas-token"][..], "SWATH_SAS_TOKEN"),
        (Some(""), &["--sas-token"], "SWATH_SAS_TOKEN"),
        (Some("canary-token\n"), &["--sas-token"], "cannot stand in a query"),
        (None, &["--sas-token", "--anon"], "--anon"),
        (None, &["--sign", "nobody"], "nobody"),
        (None, &["--token-endpoint", "https://h/{acount}"], "{account}"),
        (None, &["--token-endpoint", "https://h/{account}", "--collection", "c"], "{collection}"),
        (None, &["--collection", "c"], "--token-endpoint"),
    ] {
        let output = run(token, arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(said) && !error.contains("canary"), "{arguments:?}: {error}");
    }
    assert!(server.take_seen().is_empty());
}

#[test]
fn a_refusal_is_one_line_without_secrets() {
    let (server, scratch) = (Server::start(), Scratch::new("refused"));
    let out = scratch.path("out.bin");
    for url in [server.url("/absent.tif?sig=canary-query"), "s3://bucket/absent.tif".into()] {
        let output = swath(&server, &["read", &url, "-o", &out, "--header", "X-K: canary-header"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: ") && said.trim_end().lines().count() == 1, "{said}");
        assert!(!said.contains("canary"), "{said}");
        assert!(!Path::new(&out).exists());
    }
}

#[test]
fn a_folder_keeps_what_came_for_the_next_run() {
    let (server, scratch) = (Server::start(), Scratch::new("cache"));
    server.put("/bucket/scene.tif", fixture("scene.tif"));
    let folder = scratch.path("kept");
    let kept: [&str; 4] = ["--cache", &folder, "--cache-bytes", "50000000"];
    for url in [server.url("/bucket/scene.tif"), "s3://bucket/scene.tif".to_owned()] {
        let (first, asked) = read(&server, &scratch, &url, &kept);
        let (second, asked_again) = read(&server, &scratch, &url, &kept);
        assert!(first == second && !asked.is_empty(), "{url}");
        assert_eq!(asked_again, [], "{url}");
    }
    // The same name at another endpoint is another object.
    let other = Server::start();
    other.put("/bucket/scene.tif", fixture("scene.tif"));
    assert!(!read(&other, &scratch, "s3://bucket/scene.tif", &kept).1.is_empty());

    let output = swath(&server, &["info", "s3://bucket/scene.tif", "--cache-bytes", "1"]);
    assert!(!output.status.success(), "a bound of no folder");
}

#[test]
fn a_deadline_and_what_holds_where_objects_change() {
    let (server, scratch) = (Server::start(), Scratch::new("deadline"));
    server.put("/scene.tif", fixture("scene.tif"));
    let url = server.url("/scene.tif");
    for (command, expected) in [("info", "strong"), ("plan", "strong")] {
        let output = swath(&server, &[command, &url, "--json"]);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["consistency"], expected, "{command}");
    }
    let out = scratch.path("out.bin");
    let read = |more: &[&str]| swath(&server, &[&["read", &url, "-o", &out], more].concat());
    assert!(read(&["--deadline", "60", "--reopen", "--hedge"]).status.success());
    std::fs::remove_file(&out).unwrap();
    server.fault("/scene.tif", Fault::Stall(None));
    let output = read(&["--deadline", "0.2"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not done within 200ms") && !Path::new(&out).exists(), "{said}");
    assert_eq!(read(&["--deadline", "soon"]).status.code(), Some(2));
}
