//! Objects that are overwritten while they are read: what is read is of one generation, or there is an error that says so.
//!
//! Every pixel tells its generation, and no two generations are packed to the same length: neither may old offsets be used on new bytes,
//! nor pixels of two generations stand in one result.

#![allow(clippy::cast_possible_truncation, reason = "arrays of the tests' own are small")]

mod common;
mod support;

use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::source::scramble;
use common::{Fill, Source, tiff, zarr};
use ndarray::{Array2, ArrayView2, Axis, Ix2, Ix3};
use support::services::{BUCKET, Depot, azure_sas, service};
use swath::model::DataType;
use swath::{ChunkedArray, Cost, Error, ErrorKind, Session, SessionOptions};

const SIZE: u64 = 256;
/// Pixels of a side of a tile, and of a chunk in a shard.
const CHUNK: u64 = 32;
/// The same of a shard, and of a chunk that is an object.
const OBJECT: u64 = 64;
const GENERATIONS: u64 = 8;
const READERS: usize = 4;
/// A machine may be slow; no outcome depends on it.
const LONG: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Cog,
    Shards,
    Plain,
}

/// The generation above, below it as much noise as the generation has.
fn pixel(generation: u64, y: u64, x: u64) -> u32 {
    let noise = scramble(y * SIZE + x) & ((1 << (4 + generation)) - 1);
    (generation << 16 | noise) as u32
}

fn generation(form: Form, number: u64) -> Vec<(String, Vec<u8>)> {
    let bytes = (0..SIZE * SIZE).flat_map(|at| pixel(number, at / SIZE, at % SIZE).to_le_bytes()).collect();
    let present = |_: &[u64]| false;
    if form == Form::Cog {
        let source = Source { data_type: DataType::U32, shape: vec![1, SIZE, SIZE], bytes };
        let layout = tiff::Layout { compression: tiff::Compression::Zstd, ..tiff::Layout::default() };
        return vec![("image.tif".into(), tiff::write(&source, &[1, CHUNK, CHUNK], &layout, &present))];
    }
    let source = Source { data_type: DataType::U32, shape: vec![SIZE, SIZE], bytes };
    let (chunk, shards) = match form {
        Form::Shards => (CHUNK, Some((vec![OBJECT / CHUNK; 2], true))),
        Form::Cog | Form::Plain => (OBJECT, None),
    };
    let written = zarr::Form { compression: zarr::Compression::Zstd, shards, ..zarr::Form::new(3, 2) };
    zarr::write(&source, &[chunk; 2], &written, Fill::Zero, &present).into_iter().map(|(key, bytes)| (format!("array.zarr/{key}"), bytes)).collect()
}

/// Whether the part of a result at `at` is of one generation, pixel by pixel.
fn of_one_generation(part: ArrayView2<'_, u32>, at: (u64, u64)) -> bool {
    let Some(first) = part.first() else { return true };
    let number = u64::from(first >> 16);
    number < GENERATIONS && part.indexed_iter().all(|((y, x), value)| *value == pixel(number, at.0 + y as u64, at.1 + x as u64))
}

/// What came of the reads.
#[derive(Debug, Default)]
struct Tally {
    /// Reads during which, or between which and their opening, the object was overwritten.
    races: AtomicUsize,
    whole: AtomicUsize,
    changed: AtomicUsize,
    /// Of several objects, and of several generations.
    several: AtomicUsize,
}

struct Race<'a> {
    form: Form,
    url: String,
    /// Puts a generation in the place of the one before.
    swap: &'a (dyn Fn(u64) + Sync),
    swaps: AtomicUsize,
    reads: AtomicUsize,
    tally: Tally,
    wanted: usize,
}

impl Race<'_> {
    fn new(form: Form, url: String, wanted: usize, swap: &(dyn Fn(u64) + Sync)) -> Race<'_> {
        Race { form, url, swap, swaps: AtomicUsize::new(0), reads: AtomicUsize::new(0), tally: Tally::default(), wanted }
    }

    fn run(&self) {
        (self.swap)(0);
        let until = Instant::now() + LONG;
        let over = || self.tally.races.load(Ordering::SeqCst) >= self.wanted;
        thread::scope(|scope| {
            for reader in 0..READERS {
                scope.spawn(move || self.read(reader as u64, &|| over() || Instant::now() > until));
            }
            self.write(&|| over() || Instant::now() > until);
        });
        let Tally { races, whole, changed, several } = &self.tally;
        let [races, whole, changed, several] = [races, whole, changed, several].map(|n| n.load(Ordering::SeqCst));
        eprintln!(
            "{:?} {}: {races} races, {whole} whole, {changed} changed, {several} of several generations",
            self.form,
            self.url.split('?').next().unwrap()
        );
        assert!(races >= self.wanted, "{races} races in {LONG:?}");
        assert!(whole > 0, "nothing could be read");
        // each chunk of a plain array is an object of its own: nothing ties them together
        assert!(if self.form == Form::Plain { several > 0 } else { changed > 0 }, "no race was lost: the harness shows nothing");
    }

    /// A swap each time after a few reads have ended.
    fn write(&self, over: &dyn Fn() -> bool) {
        let mut number = 0;
        while !over() {
            let wait = 1 + scramble(number) as usize % 4;
            let (before, since) = (self.reads.load(Ordering::SeqCst), Instant::now());
            while self.reads.load(Ordering::SeqCst) < before + wait && since.elapsed() < Duration::from_secs(1) && !over() {
                thread::sleep(Duration::from_micros(200));
            }
            number += 1;
            (self.swap)(number % GENERATIONS);
            self.swaps.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Half of the readers keep nothing, and open anew; half keep what fits, which is less than the object, and read from what they opened
    /// as long as it goes.
    fn read(&self, reader: u64, over: &dyn Fn() -> bool) {
        let hot = reader.is_multiple_of(2);
        let session = session(hot, reader >= 2);
        let mut opened: Option<(ChunkedArray, usize)> = None;
        for n in 0_u64.. {
            if over() {
                return;
            }
            let (array, opened_at) = match opened.take() {
                Some(opened) => opened,
                None => {
                    let now = self.swaps.load(Ordering::SeqCst);
                    match session.block_on(self.open(&session)) {
                        Ok(array) => (array, now),
                        Err(e) => {
                            self.lost(&e);
                            continue;
                        }
                    }
                }
            };
            let before = if self.form == Form::Plain { self.swaps.load(Ordering::SeqCst) } else { opened_at };
            let [y, x] = [0, 1].map(|axis| window(scramble(n * 2 + axis + reader * 1_000_000)));
            let result = session.block_on(self.window(&array, &y, &x));
            self.reads.fetch_add(1, Ordering::SeqCst);
            if self.swaps.load(Ordering::SeqCst) > before {
                self.tally.races.fetch_add(1, Ordering::SeqCst);
            }
            match result {
                Ok(pixels) => {
                    self.hold(&pixels, y.start, x.start);
                    opened = hot.then_some((array, opened_at));
                }
                Err(e) => self.lost(&e),
            }
        }
    }

    fn lost(&self, error: &Error) {
        assert!(matches!(error.kind(), ErrorKind::ObjectChanged { .. }), "{:?}: {error}", self.form);
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.tally.changed.fetch_add(1, Ordering::SeqCst);
    }

    async fn open(&self, session: &Session) -> Result<ChunkedArray, Error> {
        match self.form {
            Form::Cog => session.open_cog(&self.url).await?.level(0),
            Form::Shards | Form::Plain => session.open_zarr(&self.url).await?.array("").await,
        }
    }

    async fn window(&self, array: &ChunkedArray, y: &Range<u64>, x: &Range<u64>) -> Result<Array2<u32>, Error> {
        match self.form {
            Form::Cog => Ok(array.read::<u32, Ix3>((0, y.clone(), x.clone())).await?.remove_axis(Axis(0))),
            Form::Shards | Form::Plain => array.read::<u32, Ix2>((y.clone(), x.clone())).await,
        }
    }

    /// A file is of one generation, a shard is, a chunk is.
    fn hold(&self, pixels: &Array2<u32>, top: u64, left: u64) {
        let side = match self.form {
            Form::Cog => SIZE,
            Form::Shards | Form::Plain => OBJECT,
        };
        let (height, width) = pixels.dim();
        for y in pieces(top, height, side) {
            for x in pieces(left, width, side) {
                let part = pixels.slice(ndarray::s![to_usize(&y, top), to_usize(&x, left)]);
                assert!(of_one_generation(part, (y.start, x.start)), "{:?}: mixed at {y:?}, {x:?}", self.form);
            }
        }
        let tally = if of_one_generation(pixels.view(), (top, left)) { &self.tally.whole } else { &self.tally.several };
        tally.fetch_add(1, Ordering::SeqCst);
    }
}

/// From 1 to half of the pixels of an axis.
fn window(random: u64) -> Range<u64> {
    let length = 1 + random % (SIZE / 2);
    let start = (random >> 32) % (SIZE - length);
    start..start + length
}

/// A range cut at the multiples of `side`.
fn pieces(start: u64, length: usize, side: u64) -> Vec<Range<u64>> {
    let end = start + length as u64;
    (start / side..end.div_ceil(side)).map(|n| start.max(n * side)..end.min((n + 1) * side)).collect()
}

fn to_usize(range: &Range<u64>, from: u64) -> Range<usize> {
    (range.start - from) as usize..(range.end - from) as usize
}

/// `hot` has caches, `scattered` asks for each chunk by a request of its own.
fn session(hot: bool, scattered: bool) -> Session {
    let mut options = SessionOptions::default();
    options.threads = 1;
    options.cache_bytes = if hot { 128 << 10 } else { 0 };
    if scattered {
        options.network.cost = Cost::Fixed { latency: Duration::ZERO, bytes_per_second: 1 << 30 };
        options.network.merge_gap = Some(0);
        options.network.request_bytes = 4096;
    }
    Session::with_options(options).unwrap()
}

/// All generations of a form, made once.
fn generations(form: Form) -> Vec<Vec<(String, Vec<u8>)>> {
    let made: Vec<_> = (0..GENERATIONS).map(|number| generation(form, number)).collect();
    for objects in made.windows(2) {
        // nginx makes an ETag of the second and the size
        assert!(objects[0].iter().zip(&objects[1]).all(|(a, b)| a.0.ends_with("zarr.json") || a.1.len() != b.1.len()));
    }
    made
}

fn races_in(depot: &Depot, url: &dyn Fn(&str) -> String, wanted: [usize; 3]) {
    for (form, wanted) in [Form::Cog, Form::Shards, Form::Plain].into_iter().zip(wanted) {
        let made = generations(form);
        let folder = format!("torn-{form:?}");
        let swap = |number: u64| made[number as usize].iter().for_each(|(key, bytes)| depot.put(&format!("{folder}/{key}"), bytes));
        let name = if form == Form::Cog { "image.tif" } else { "array.zarr" };
        Race::new(form, url(&format!("{folder}/{name}")), wanted, &swap).run();
    }
}

#[test]
fn nginx() {
    let Some(server) = service("SWATH_NGINX") else { return };
    races_in(&Depot::Nginx, &|path| format!("{server}/plain/{path}"), [300, 300, 100]);
}

#[test]
fn azure() {
    let Some(account) = service("SWATH_AZURITE") else { return };
    let sas = azure_sas(BUCKET, "rl", 3600);
    races_in(&Depot::azure(BUCKET), &|path| format!("{account}/{BUCKET}/{path}?{sas}"), [120, 60, 20]);
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _fresh = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Files that are replaced, and the replaced ones cut short under those who still read them.
#[test]
fn files() {
    let folder = scratch("torn");
    for form in [Form::Cog, Form::Shards, Form::Plain] {
        let made = generations(form);
        let swap = |number: u64| {
            for (key, bytes) in &made[number as usize] {
                let path = folder.join(key);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let old = File::options().write(true).open(&path).ok();
                let beside = path.with_extension("new");
                fs::write(&beside, bytes).unwrap();
                fs::rename(beside, &path).unwrap();
                if let Some(old) = old {
                    old.set_len(bytes.len() as u64 / 3).unwrap();
                }
            }
        };
        let name = if form == Form::Cog { "image.tif" } else { "array.zarr" };
        Race::new(form, folder.join(name).to_str().unwrap().to_owned(), 100, &swap).run();
    }
}

/// What may become of a file between its opening and a read.
#[test]
fn a_file_is_not_what_it_was() {
    type Become = fn(&Path, Vec<u8>);
    let table: [(&str, Become); 5] = [
        ("cut short", |path, _| File::options().write(true).open(path).unwrap().set_len(4096).unwrap()),
        ("emptied", |path, _| File::options().write(true).open(path).unwrap().set_len(0).unwrap()),
        ("longer", |path, bytes| fs::write(path, [bytes, vec![0]].concat()).unwrap()),
        ("overwritten in place", |path, _| fs::write(path, &generation(Form::Cog, 2)[0].1).unwrap()),
        ("replaced", |path, bytes| {
            let beside = path.with_extension("new");
            fs::write(&beside, bytes).unwrap();
            fs::rename(beside, path).unwrap();
        }),
    ];
    let folder = scratch("torn-once");
    for (what, change) in table {
        let path = folder.join("image.tif");
        let bytes = generation(Form::Cog, 1).remove(0).1;
        fs::write(&path, &bytes).unwrap();
        let session = session(false, false);
        session.block_on(async {
            let url = path.to_str().unwrap();
            let array = session.open_cog(url).await.unwrap().level(0).unwrap();
            change(&path, bytes);
            let error = array.read_dyn(..).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::ObjectChanged { .. }), "{what}: {error}");
        });
    }
}
