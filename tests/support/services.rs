//! The servers that `.ci/services run` starts, and a client as small as can be to fill them.

#![allow(dead_code, reason = "no test uses all of it")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// The bucket, or the private container, that there is in each store.
pub(crate) const BUCKET: &str = "swath";

/// The value of a variable that `.ci/services run` sets; without it a test is left out, and in CI it fails.
pub(crate) fn service(variable: &str) -> Option<String> {
    match std::env::var(variable) {
        Ok(value) => Some(value),
        Err(_) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("{variable} is not set: run this under `.ci/services run`"),
        Err(_) => {
            // past the capture of the test's output
            let _ = writeln!(std::io::stderr().lock(), "LEFT OUT, {variable} IS NOT SET: `.ci/services run cargo test` runs it");
            None
        }
    }
}

/// Runs a test again in a process with these variables: they cannot be set in one that has threads.
///
/// `true` in that process.
pub(crate) fn with_environment(test: &str, variables: &[(&str, &str)]) -> bool {
    const MARK: &str = "SWATH_TEST_ENVIRONMENT";
    if std::env::var(MARK).is_ok_and(|marked| marked == test) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([test, "--exact", "--nocapture"]).envs(variables.iter().copied()).env(MARK, test).output().unwrap();
    let told = [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    false
}

/// Status and body of an answer over plain HTTP.
pub(crate) fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    let rest = url.strip_prefix("http://").expect("plain HTTP");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut head = format!("{method} /{path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer of HTTP");
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer.split_off(end + 4))
}

/// A container's signature for so many seconds; permissions as Azure writes them, such as `rl`.
pub(crate) fn azure_sas(container: &str, permissions: &str, seconds: i64) -> String {
    let tokens = std::env::var("SWATH_TOKENS").unwrap();
    let (status, body) = send("GET", &format!("{tokens}/devstoreaccount1/{container}?seconds={seconds}&permissions={permissions}"), &[], b"");
    assert_eq!(status, 200);
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
    answer["token"].as_str().unwrap().to_owned()
}

/// Where a test puts its objects.
#[derive(Debug, Clone)]
pub(crate) enum Depot {
    Azure {
        container: String,
        sas: String,
    },
    S3,
    Gcs,
    /// A folder that is served.
    Nginx,
}

impl Depot {
    pub(crate) fn azure(container: &str) -> Self {
        Self::Azure { container: container.to_owned(), sas: azure_sas(container, "racwdl", 3600) }
    }

    /// Puts an object in place, or in the place of another one, at once.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let variable = |name: &str| std::env::var(name).unwrap();
        let sent = name.replace(' ', "%20");
        let (status, answer) = match self {
            Self::Azure { container, sas } => {
                let url = format!("{}/{container}/{sent}?{sas}", variable("SWATH_AZURITE"));
                send("PUT", &url, &[("x-ms-version", "2019-12-12"), ("x-ms-blob-type", "BlockBlob")], bytes)
            }
            Self::S3 => {
                let url = format!("{}/{BUCKET}/{sent}", variable("SWATH_S3"));
                send("PUT", &url, &[("x-amz-acl", "public-read")], bytes)
            }
            Self::Gcs => {
                let sent = sent.replace('/', "%2F");
                let url = format!("{}/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={sent}", variable("SWATH_GCS"));
                send("POST", &url, &[("Content-Type", "application/octet-stream")], bytes)
            }
            Self::Nginx => {
                let path = std::path::Path::new(&variable("SWATH_NGINX_ROOT")).join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let beside = path.with_extension("new");
                std::fs::write(&beside, bytes).unwrap();
                std::fs::rename(beside, path).unwrap();
                (200, Vec::new())
            }
        };
        assert!((200..300).contains(&status), "{name}: {status} {}", String::from_utf8_lossy(&answer));
    }
}
