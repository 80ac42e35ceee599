//! A corpus of real files with expected values, read in this process: whole, and by regions.
//!
//! `SWATH_CORPUS` names its folder: a `MANIFEST.json` whose records carry the CRC-32 of each image or array as independent
//! readers decoded it. Without it there is nothing to test, which is said; where `CI` is set that is a failure.
//! `SWATH_CORPUS_ONLY` is a part of the names of the records to look at.
//!
//! Whatever features this build has, nothing is wrong, most of TIFF is right, and the rest is refused by the name of the feature that reads
//! it, or by a name that `docs/formats.md` has.

use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::Value;
use swath::model::Region;
use swath::{ChunkedArray, Dataset, Error, ErrorKind, Session, SessionOptions};

/// TIFF compressions whose decoders may differ in the last bit.
const LOSSY: [u64; 13] = [6, 7, 33_003, 33_004, 33_005, 34_712, 34_892, 34_887, 50_001, 50_002, 52_546, 34_934, 22_610];

/// One image or array, or a hostile file as a whole.
struct Job {
    path: PathBuf,
    name: String,
    kind: Kind,
}

enum Kind {
    Directory(String, Value),
    Array(String, Value),
    /// Any answer will do.
    Hostile,
}

#[derive(Debug)]
enum Verdict {
    Match,
    /// Lossy, and within the spread of the readers that made the oracle.
    Close,
    Unsupported(String),
    Refused(String),
    Wrong(String),
    Answered,
}

fn jobs(folder: &Path) -> Vec<Job> {
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("MANIFEST.json")).unwrap()).unwrap();
    let mut jobs = Vec::new();
    for record in manifest["files"].as_array().unwrap() {
        let name = record["path"].as_str().unwrap();
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let job = |part: &str, kind| Job { path: path.clone(), name: format!("{name} {part}"), kind };
        if record["hostile"] == true {
            jobs.push(job("", Kind::Hostile));
            continue;
        }
        for part in record["ifds"].as_array().into_iter().flatten().filter(|p| !oracles(p).is_empty()) {
            let index = part["ifd"].as_str().map_or_else(|| part["ifd"].to_string(), str::to_owned);
            jobs.push(job(&index.clone(), Kind::Directory(index, part.clone())));
        }
        for part in record["arrays"].as_array().into_iter().flatten().filter(|p| !oracles(p).is_empty()) {
            let array = part["path"].as_str().unwrap_or_default();
            jobs.push(job(array, Kind::Array(array.to_owned(), part.clone())));
        }
    }
    jobs
}

/// What independent readers decoded: one, or two where they differ.
fn oracles(part: &Value) -> Vec<&Value> {
    let members = part.as_object().into_iter().flatten();
    members.filter(|(key, value)| key.starts_with("oracle") && value.is_object()).map(|(_, value)| value).collect()
}

/// The regions whose checksums an oracle holds.
fn regions(oracle: &Value) -> Vec<(Region, &str)> {
    let numbers = |v: &Value| v.as_array().into_iter().flatten().filter_map(Value::as_u64).collect::<Vec<_>>();
    let shape = numbers(&oracle["shape"]);
    let mut all = Vec::new();
    for window in oracle["windows"].as_array().into_iter().flatten() {
        let [x, y, width, height] = numbers(&window["xywh"])[..] else { continue };
        let mut ranges: Vec<Range<u64>> = shape[..shape.len() - 2].iter().map(|n| 0..*n).collect();
        ranges.extend([y..y + height, x..x + width]);
        all.push((Region::new(ranges), window["crc32"].as_str().unwrap()));
    }
    for slice in oracle["slices"].as_array().into_iter().flatten() {
        let ranges: Vec<Range<u64>> = slice["ranges"].as_array().into_iter().flatten().map(numbers).map(|r| r[0]..r[1]).collect();
        if !ranges.is_empty() {
            all.push((Region::new(ranges), slice["crc32"].as_str().unwrap()));
        }
    }
    all
}

fn crc32(bytes: &[u8]) -> String {
    format!("{:08x}", crc32fast::hash(bytes))
}

async fn array(session: &Session, path: &Path, kind: &Kind) -> Result<ChunkedArray, Error> {
    let dataset = session.open(path.to_str().unwrap()).await?;
    match (kind, dataset) {
        (Kind::Directory(index, _), Dataset::Cog(cog)) => cog.directory(index),
        (Kind::Array(name, _), Dataset::Group(group)) => group.array(name).await,
        _ => Err(Error::malformed("opened as another format than it is")),
    }
}

async fn judge(session: &Session, job: &Job) -> Result<Verdict, Error> {
    let (Kind::Directory(_, part) | Kind::Array(_, part)) = &job.kind else { return hostile(session, &job.path).await };
    let array = array(session, &job.path, &job.kind).await?;
    let lossy = part["compression"].as_u64().is_some_and(|c| LOSSY.contains(&c));
    let oracles = oracles(part);
    let windows_only = oracles.iter().any(|o| o["windows_only"] == true);
    let mut verdict = Verdict::Match;
    if !windows_only {
        let bytes = array.read_dyn(..).await?.into_little_endian();
        let crc = crc32(&bytes);
        if !oracles.iter().any(|o| o["crc32"] == crc.as_str()) {
            if !lossy || !oracles.iter().any(|o| within_spread(part, o, &bytes)) {
                return Ok(Verdict::Wrong(format!("{} bytes, crc32 {crc}; oracle {}", bytes.len(), oracles[0]["crc32"])));
            }
            verdict = Verdict::Close;
        }
    }
    // Where readers differ, the regions are held to the one that agrees on the most.
    let mut off = Vec::new();
    for oracle in oracles {
        let mut wrong = Vec::new();
        for (region, expected) in regions(oracle) {
            let bytes = read_oracle_region(&array, oracle, &region).await?;
            if crc32(&bytes) != expected && (!lossy || bytes.is_empty()) {
                wrong.push(format!("{:?}", region.ranges()));
            }
        }
        if wrong.is_empty() {
            return Ok(if lossy { Verdict::Close } else { verdict });
        }
        off = wrong;
    }
    Ok(Verdict::Wrong(format!("regions {}", off.join(" "))))
}

/// Reads a region of an oracle, which counts the numbers of a complex integer as two along x.
async fn read_oracle_region(array: &ChunkedArray, oracle: &Value, region: &Region) -> Result<Vec<u8>, Error> {
    let (width, stored) = (oracle["shape"].as_array().and_then(|s| s.last()?.as_u64()), array.shape().last().copied());
    let is_pairs = stored.is_some_and(|n| n > 0 && width == Some(2 * n));
    let Some((x, rest)) = region.ranges().split_last().filter(|_| is_pairs) else {
        return Ok(array.read_dyn(region).await?.into_little_endian());
    };
    let pixels = x.start / 2..x.end.div_ceil(2);
    let columns = [rest, std::slice::from_ref(&pixels)].concat();
    let bytes = array.read_dyn(&Region::new(columns)).await?.into_little_endian();
    let number = array.data_type().size().unwrap_or(2) / 2;
    let at = |n: u64| usize::try_from(n).unwrap() * number;
    let (row, first, last) = (at((pixels.end - pixels.start) * 2), at(x.start - pixels.start * 2), at(x.end - pixels.start * 2));
    Ok(bytes.chunks_exact(row).flat_map(|row| &row[first..last]).copied().collect())
}

/// Whether the pixels that the oracle kept of a lossy image are as near as decoders are to each other.
fn within_spread(part: &Value, oracle: &Value, bytes: &[u8]) -> bool {
    let shape: Vec<u64> = oracle["shape"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    let dtype = oracle["dtype"].as_str().unwrap_or_default().trim_start_matches(['<', '|']);
    let size = match dtype {
        "u1" | "i1" => 1,
        "u2" | "i2" => 2,
        "u4" | "i4" | "f4" => 4,
        _ => 8,
    };
    let Some(pixels) = oracle["pixels"].as_array().filter(|p| !p.is_empty()) else { return false };
    if bytes.len() as u64 != shape.iter().product::<u64>() * size {
        return false;
    }
    let number = |at: usize| -> f64 {
        let b = &bytes[at..];
        match dtype {
            "u1" => f64::from(b[0]),
            "i1" => f64::from(b[0].cast_signed()),
            "u2" => f64::from(u16::from_le_bytes([b[0], b[1]])),
            "i2" => f64::from(i16::from_le_bytes([b[0], b[1]])),
            "u4" => f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            "i4" => f64::from(i32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            "f4" => f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            _ => f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
        }
    };
    let spread = part["difference"]["max_abs"].as_f64().unwrap_or(0.0).max(if size == 1 { 8.0 } else { 0.0 });
    let difference = |pixel: &Value| {
        let index = pixel[0].as_array().into_iter().flatten().filter_map(Value::as_u64);
        let at = index.zip(&shape).fold(0, |at, (i, n)| at * n + i) * size;
        (number(usize::try_from(at).unwrap()) - pixel[1].as_f64().unwrap_or(f64::NAN)).abs()
    };
    let off: Vec<f64> = pixels.iter().map(difference).collect();
    let mean = off.iter().sum::<f64>() / off.len() as f64;
    off.iter().all(|d| *d <= spread) && mean <= (spread / 4.0).max(1.0)
}

/// Opens it and reads a corner of all it holds.
async fn hostile(session: &Session, path: &Path) -> Result<Verdict, Error> {
    let mut arrays = Vec::new();
    match session.open(path.to_str().unwrap()).await? {
        Dataset::Cog(cog) => arrays.extend(cog.directories().iter().take(16).map(|path| cog.directory(path))),
        Dataset::Group(group) => {
            for name in group.arrays().await?.iter().take(16) {
                arrays.push(group.array(name).await);
            }
        }
        other => panic!("{other:?}"),
    }
    for array in arrays.into_iter().flatten() {
        let corner = array.shape().iter().map(|n| 0..(*n).min(300)).collect();
        let (_any, _answer) = (array.read_dyn(&Region::new(corner)).await, array.read_dyn(..).await);
    }
    Ok(Verdict::Answered)
}

/// Percent of the images of TIFF files that every build reads which has the default features.
const MIN_TIFF: usize = 93;

/// What the names of refusals begin with that `docs/formats.md` has: compressions, the table of names, and those of Zarr.
fn documented() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md")).unwrap();
    let from = |start: &'static str| text.lines().skip_while(move |line| !line.starts_with(start));
    let cells = |start| from(start).skip(2).take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(1));
    let quoted = |part: &str| part.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let compressions = cells("| refused compression |").map(|name| format!("tiff compression {} (", name.trim()));
    let codecs: Vec<_> = from("Refused by name:").take_while(|line| !line.is_empty()).flat_map(quoted).collect();
    let of_codecs = codecs.iter().flat_map(|name| [format!("codec {name}"), format!("codec numcodecs.{name}"), format!("objects of codec {name}")]);
    compressions.chain(cells("| refused name |").flat_map(quoted)).chain(of_codecs).collect()
}

/// Whether a refusal tells its reader what to do: which feature to build with, or that no build reads it.
fn is_explained(refusal: &str, documented: &[String]) -> bool {
    let feature = refusal.split_once("built without the feature \"").and_then(|(_, rest)| rest.strip_suffix('"'));
    match feature {
        Some(feature) => FEATURES.iter().any(|(name, is_on)| *name == feature && !is_on),
        None => documented.iter().any(|d| refusal.starts_with(d.as_str())),
    }
}

/// The features that are codecs, and whether this build has them.
const FEATURES: [(&str, bool); 10] = [
    ("blosc", cfg!(feature = "blosc")),
    ("bzip2", cfg!(feature = "bzip2")),
    ("jpeg", cfg!(feature = "jpeg")),
    ("jpeg2000", cfg!(feature = "jpeg2000")),
    ("jxl", cfg!(feature = "jxl")),
    ("lerc", cfg!(feature = "lerc")),
    ("lzma", cfg!(feature = "lzma")),
    ("pcodec", cfg!(feature = "pcodec")),
    ("png", cfg!(feature = "png")),
    ("webp", cfg!(feature = "webp")),
];

fn verdict(session: &Session, job: &Job) -> Verdict {
    let judged = catch_unwind(AssertUnwindSafe(|| session.block_on(judge(session, job))));
    match judged {
        Err(_) => Verdict::Wrong("panicked".to_owned()),
        Ok(Ok(verdict)) => verdict,
        Ok(Err(e)) => match e.kind() {
            ErrorKind::Panicked(m) => Verdict::Wrong(format!("panicked: {m}")),
            _ if matches!(job.kind, Kind::Hostile) => Verdict::Answered,
            ErrorKind::Unsupported(name) => Verdict::Unsupported(name.clone()),
            kind => Verdict::Refused(kind.to_string()),
        },
    }
}

#[test]
fn every_record_is_as_independent_readers_decoded_it() {
    let Some(folder) = std::env::var_os("SWATH_CORPUS").map(PathBuf::from) else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI is set and SWATH_CORPUS is not");
        eprintln!("SKIPPED: SWATH_CORPUS names no corpus, nothing was compared");
        return;
    };
    let only = std::env::var("SWATH_CORPUS_ONLY").unwrap_or_default();
    let jobs: Vec<Job> = jobs(&folder).into_iter().filter(|j| j.name.contains(&only)).collect();
    assert!(!jobs.is_empty(), "no record of the corpus is there");
    let mut options = SessionOptions::default();
    options.limits.max_output_bytes = 256 << 20;
    let session = Session::with_options(options).unwrap();

    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Relaxed)) {
                    let verdict = verdict(&session, job);
                    verdicts.lock().unwrap().push((job, verdict));
                }
            });
        }
    });

    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unsupported: BTreeMap<String, usize> = BTreeMap::new();
    let (mut tiff, mut tiff_right) = (0_usize, 0_usize);
    let mut wrong = Vec::new();
    for (job, verdict) in verdicts.into_inner().unwrap() {
        let right = matches!(verdict, Verdict::Match | Verdict::Close);
        if matches!(job.kind, Kind::Directory(..)) {
            tiff += 1;
            tiff_right += usize::from(right);
        }
        let word = match verdict {
            Verdict::Match => "match",
            Verdict::Close => "close",
            Verdict::Answered => "hostile, answered",
            Verdict::Unsupported(name) => {
                *unsupported.entry(name).or_default() += 1;
                "unsupported"
            }
            Verdict::Refused(why) => {
                eprintln!("refused  {}: {why}", job.name);
                "refused"
            }
            Verdict::Wrong(why) => {
                wrong.push(format!("{}: {why}", job.name));
                "wrong"
            }
        };
        *counts.entry(word).or_default() += 1;
    }
    eprintln!("unsupported, by name:");
    unsupported.iter().for_each(|(name, count)| eprintln!("{count:6}  {name}"));
    eprintln!("{counts:?}; {tiff_right} of {tiff} images of TIFF files right");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let documented = documented();
    let unexplained: Vec<_> = unsupported.keys().filter(|name| !is_explained(name, &documented)).collect();
    assert!(unexplained.is_empty(), "refused by names that say neither a feature nor stand in docs/formats.md: {unexplained:#?}");
    let has_defaults = ["blosc", "jpeg", "lerc", "webp"].iter().all(|d| FEATURES.contains(&(d, true)));
    if has_defaults && only.is_empty() {
        assert!(tiff_right * 100 >= tiff * MIN_TIFF, "{tiff_right} of {tiff} images of TIFF files right");
    }
}
