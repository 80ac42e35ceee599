//! Two handles of one folder stand for two processes: locks are of open files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("swath-disk-{}-{number}", std::process::id())))
    }
    fn files(&self, folder: &str) -> Vec<PathBuf> {
        fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
            for file in fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                if path.is_dir() { walk(&path, out) } else { out.push(path) }
            }
        }
        let mut out = Vec::new();
        walk(&self.0.join(folder), &mut out);
        out.sort();
        out
    }
    fn stored(&self) -> u64 {
        self.files("entries").iter().map(|path| fs::metadata(path).unwrap().len()).sum()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const FRESH: Duration = Duration::from_secs(60);

fn lasting(url: &str) -> Lasting {
    Lasting { url: url.to_owned(), realm: String::new() }
}

fn wanted(url: &str, version: Option<&str>, start: u64) -> Wanted {
    Wanted { object: lasting(url), version: version.map(Into::into), piece: Piece::Range { start, length: 10 } }
}

fn name(number: u64) -> Name {
    wanted("https://h/a", Some("A"), number).name()
}

fn entry(number: u64, length: usize) -> Entry {
    Entry { bytes: vec![number as u8; length].into(), size: None, version: Some("A".into()), came: 0 }
}

fn is_there(folder: &Folder, number: u64, length: usize) -> bool {
    match folder.read(&name(number)) {
        Some(Found::Entry(found)) => {
            assert_eq!(found, entry(number, length), "what is there is right");
            true
        }
        _ => false,
    }
}

fn open(scratch: &Scratch, bytes: u64) -> Arc<Disk> {
    Arc::new(Disk::open(&DiskCache::new(&scratch.0).with_bytes(bytes), FRESH).unwrap())
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn get(disk: &Arc<Disk>, wanted: &Wanted) -> Option<Bytes> {
    wait(disk.get(vec![wanted.clone()])).remove(0).map(|found| found.bytes)
}

#[test]
fn what_one_process_puts_the_other_gets() {
    let scratch = Scratch::new();
    let (one, other) = (open(&scratch, 1 << 20), open(&scratch, 1 << 20));
    let (unpinned, a, b) = (wanted("https://h/a", None, 0), wanted("https://h/a", Some("A"), 0), wanted("https://h/a", Some("B"), 0));
    assert_eq!(get(&other, &unpinned), None);
    one.put(&unpinned, Bytes::from_static(b"of the opening"), Some(100), Some("A".into()), None);
    one.settle();
    let found = wait(other.get(vec![unpinned.clone(), a.clone(), b.clone(), wanted("https://h/b", None, 0)]));
    let bytes: Vec<_> = found.iter().map(|one| one.as_ref().map(|one| one.bytes.as_ref())).collect();
    assert_eq!(bytes, [Some(&b"of the opening"[..]), Some(b"of the opening"), None, None]);
    assert_eq!(found[0].as_ref().map(|one| (one.size, one.version.as_deref())), Some((Some(100), Some("A"))));

    other.put(&b, Bytes::from_static(b"of B"), None, Some("B".into()), None);
    other.put(&unpinned, Bytes::from_static(b"of B too"), None, Some("B".into()), None);
    other.settle();
    assert_eq!(get(&one, &b).as_deref(), Some(&b"of B"[..]));
    assert_eq!((get(&one, &unpinned).as_deref(), get(&one, &a)), (Some(&b"of B too"[..]), None));
}

#[test]
fn what_is_not_pinned_must_be_fresh_by_the_clock() {
    let scratch = Scratch::new();
    let disk = open(&scratch, 1 << 20);
    let of = |version: Option<&str>| wanted("https://h/a", version, 0);
    let (unpinned, strong, weak) = (of(None), of(Some("\"A\"")), of(Some("W/\"A\"")));
    let now = SystemTime::now();
    for one in [&unpinned, &strong, &weak] {
        disk.put(one, Bytes::from_static(b"x"), None, one.version.clone(), None);
    }
    disk.settle();
    let (day, before) = (Duration::from_secs(86_400), |d| now.checked_sub(d).unwrap());
    for (at, fresh) in [(now + FRESH / 2, true), (now + FRESH * 2, false), (now + day, false), (before(day), false)] {
        let found = [&unpinned, &weak, &strong].map(|one| disk.look(one, at).is_some());
        assert_eq!(found, [fresh, fresh, true]);
    }
    assert!(disk.look(&unpinned, now + FRESH / 2).unwrap().age >= FRESH / 2 - Duration::from_secs(1));
}

#[test]
fn a_damaged_entry_is_a_miss_and_goes() {
    let scratch = Scratch::new();
    let disk = open(&scratch, 1 << 20);
    let one = wanted("https://h/a", Some("A"), 0);
    disk.put(&one, Bytes::from_static(b"right"), None, Some("A".into()), None);
    disk.settle();
    let path = scratch.files("entries").remove(0);
    let whole = fs::read(&path).unwrap();
    let cuts = (0..whole.len()).map(|length| whole[..length].to_vec());
    let flips = (0..whole.len()).map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        flipped
    });
    for damaged in flips.chain(cuts) {
        fs::write(&path, &damaged).unwrap();
        assert_eq!(get(&disk, &one), None);
        disk.settle();
        assert!(!path.exists());
    }
    // Each of them was accounted for as it was removed.
    assert_eq!(disk.folder.used().unwrap(), 0);
    fs::write(&path, &whole).unwrap();
    assert_eq!(get(&disk, &one).as_deref(), Some(&b"right"[..]));
}

#[test]
fn two_names_of_one_file_are_told_apart() {
    let scratch = Scratch::new();
    let folder = Folder::open(&scratch.0, 1 << 20).unwrap();
    folder.insert(&name(1), &entry(1, 10)).unwrap();
    let path = |number: u64| scratch.0.join("entries").join(name(number).path());
    fs::create_dir_all(path(2).parent().unwrap()).unwrap();
    fs::copy(path(1), path(2)).unwrap();
    assert_eq!(folder.read(&name(2)), Some(Found::Other));
    folder.remove_damaged(&name(2)).unwrap();
    assert!(path(2).exists(), "it is somebody's");
    folder.insert(&name(2), &entry(2, 10)).unwrap();
    assert!(is_there(&folder, 1, 10) && is_there(&folder, 2, 10));
}

/// A sequence of numbers that looks random.
fn numbers(mut seed: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    })
}

#[test]
fn the_budget_holds_for_all_handles_together() {
    for budget in [0, 500, 2000, 10_000, 50_000] {
        let scratch = Scratch::new();
        let folders = [Folder::open(&scratch.0, budget).unwrap(), Folder::open(&scratch.0, budget).unwrap()];
        let mut lengths = std::collections::HashMap::new();
        let mut random = numbers(budget);
        for step in 0..150 {
            let (number, length) = (random.next().unwrap() % 40, (random.next().unwrap() % 1500) as usize);
            folders[step % 2].insert(&name(number), &entry(number, length)).unwrap();
            let (stored, head) = (scratch.stored(), entry(number, length).head(name(number).text()).unwrap().len());
            assert!(stored <= budget, "{stored} of {budget}");
            assert_eq!(folders[0].used().unwrap(), stored);
            if (head + length) as u64 <= budget / 4 {
                lengths.insert(number, length);
                assert!(is_there(&folders[1 - step % 2], number, length), "the newest is there");
            }
        }
        for (number, length) in lengths {
            is_there(&folders[0], number, length);
        }
    }
}

#[test]
fn what_was_used_longest_ago_leaves_first() {
    let scratch = Scratch::new();
    let one = entry(0, 100).head(name(0).text()).unwrap().len() as u64 + 100;
    let folder = Folder::open(&scratch.0, 10 * one + 20).unwrap();
    let path = |number: u64| scratch.0.join("entries").join(name(number).path());
    for number in 0..10 {
        folder.insert(&name(number), &entry(number, 100)).unwrap();
        let used = SystemTime::now() - Duration::from_secs(1000 - number);
        fs::File::open(path(number)).unwrap().set_modified(used).unwrap();
    }
    assert!(is_there(&folder, 0, 100), "which makes it the most recently used");
    folder.insert(&name(10), &entry(10, 100)).unwrap();
    let there: Vec<u64> = (0..11).filter(|number| path(*number).exists()).collect();
    assert_eq!(there, [0, 3, 4, 5, 6, 7, 8, 9, 10], "down to nine tenths");
}

#[test]
fn what_dead_processes_left_is_removed_and_the_account_made_anew() {
    let scratch = Scratch::new();
    let folder = Folder::open(&scratch.0, 100_000).unwrap();
    for number in 0..5 {
        folder.insert(&name(number), &entry(number, 1000)).unwrap();
    }
    let stored = scratch.stored();
    let damages: [fn(&Path); 4] = [
        |lock| fs::remove_file(lock).unwrap(),
        |lock| fs::write(lock, b"").unwrap(),
        |lock| fs::write(lock, b"01234567890123456789").unwrap(),
        |lock| {
            let mut account = fs::read(lock).unwrap();
            account[9] ^= 1;
            fs::write(lock, account).unwrap();
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        fs::write(scratch.0.join("partial"), vec![0; 500]).unwrap();
        fs::write(scratch.0.join("leases/0123"), b"").unwrap();
        damage(&scratch.0.join("lock"));
        assert_eq!(folder.used().unwrap(), stored, "damage {number}");
        assert!(!scratch.0.join("partial").exists() && scratch.files("leases").is_empty(), "damage {number}");
    }
}

#[test]
fn a_lease_that_is_held_outlives_a_recovery() {
    let scratch = Scratch::new();
    let folder = Folder::open(&scratch.0, 100_000).unwrap();
    let (one, other) = (Leases::default(), Leases::default());
    let Asked::Granted(lease) = one.ask(&folder.leases(), &name(0)) else { panic!("nobody has it") };
    fs::remove_file(scratch.0.join("lock")).unwrap();
    folder.used().unwrap();
    assert!(matches!(other.ask(&folder.leases(), &name(0)), Asked::Taken));
    assert!(matches!(one.ask(&folder.leases(), &name(0)), Asked::Taken));
    assert!(matches!(other.ask(&folder.leases(), &name(1)), Asked::Granted(_)));
    drop(lease);
    assert!(matches!(other.ask(&folder.leases(), &name(0)), Asked::Granted(_)));
    let many: Vec<_> = (0..100).map(|number| one.ask(&folder.leases(), &name(number))).collect();
    assert_eq!(many.iter().filter(|asked| matches!(asked, Asked::Granted(_))).count(), 64);
    assert_eq!(many.iter().filter(|asked| matches!(asked, Asked::Without)).count(), 36);
    drop(many);
    assert!(scratch.files("leases").is_empty());
}

#[test]
fn who_waits_for_a_lease_finds_all_that_its_holder_brought() {
    let scratch = Scratch::new();
    let (one, other) = (open(&scratch, 1 << 20), open(&scratch, 1 << 20));
    let of = |number: u64| wanted("https://h/a", Some("A"), number);
    wait(async {
        let lease = one.lease(&of(0), soon()).await.expect("nobody fetches it");
        let waits = tokio::spawn({
            let (other, all) = (other.clone(), (0..20).map(of).collect::<Vec<_>>());
            async move {
                let lease = other.lease(&all[0], soon()).await;
                (lease.is_some(), other.get(all).await.into_iter().flatten().count())
            }
        });
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(!waits.is_finished());
        for number in 0..20 {
            one.put(&of(number), Bytes::from_static(b"brought"), None, Some("A".into()), Some(lease.clone()));
        }
        drop(lease);
        assert_eq!(waits.await.unwrap(), (true, 20));
    });
}

#[test]
fn a_process_that_holds_the_lock_holds_up_nobody_for_ever() {
    let scratch = Scratch::new();
    let (disk, one) = (open(&scratch, 1 << 20), wanted("https://h/a", None, 0));
    disk.put(&one, Bytes::from_static(b"x"), None, Some("A".into()), None);
    disk.settle();
    let lock = fs::File::open(scratch.0.join("lock")).unwrap();
    lock.lock().unwrap();
    let later = wanted("https://h/b", None, 0);
    disk.put(&later, Bytes::from_static(b"x"), None, Some("A".into()), None);
    assert!(get(&disk, &one).is_some(), "reading takes no lock");
    assert!(get(&disk, &later).is_some(), "what waits to be written is to be had by who put it");
    assert!(get(&open(&scratch, 1 << 20), &later).is_none());
    let refused = wait(disk.forget(lasting("https://h/a"), false)).unwrap_err();
    assert!(matches!(refused.kind(), crate::ErrorKind::Storage { .. }), "{refused:?}");
    lock.unlock().unwrap();
    disk.settle();
    assert!(get(&open(&scratch, 1 << 20), &later).is_some() && get(&disk, &one).is_none(), "done when it could be");
}

#[test]
fn nobody_is_waited_for_once_one_took_too_long() {
    let scratch = Scratch::new();
    let (one, other) = (open(&scratch, 1 << 20), open(&scratch, 1 << 20));
    let of = |number: u64| wanted("https://h/a", None, number);
    wait(async {
        let _held = [one.lease(&of(0), soon()).await.unwrap(), one.lease(&of(1), soon()).await.unwrap()];
        assert!(other.lease(&of(0), Instant::now()).await.is_none());
        // With a long patience, which is not asked for any more.
        assert!(other.lease(&of(1), Instant::now() + Duration::from_secs(3600)).await.is_none());
        assert!(other.lease(&of(2), soon()).await.is_some(), "what nobody holds is to be had all the same");
    });
}

#[test]
fn forgetting_takes_an_object_or_what_is_below_it() {
    let scratch = Scratch::new();
    let disk = open(&scratch, 1 << 20);
    let all = ["https://h/a", "https://h/a/x", "https://h/a/y/z", "https://h/ab"];
    let left = |disk: &Arc<Disk>| all.map(|url| get(disk, &wanted(url, None, 0)).is_some());
    for (url, below, expected) in [
        ("https://h/a", false, [false, true, true, true]),
        ("https://h/a", true, [false, false, false, true]),
        ("https://h/a/y", true, [true, true, false, true]),
        ("https://h/a/y", false, [true; 4]),
        ("https://h", true, [false; 4]),
    ] {
        for url in all {
            disk.put(&wanted(url, None, 0), Bytes::from_static(b"x"), None, Some("A".into()), None);
        }
        // What was put before is forgotten too, written or not.
        wait(disk.forget(lasting(url), below)).unwrap();
        assert_eq!(left(&disk), expected, "{url}");
        assert_eq!(disk.folder.used().unwrap(), scratch.stored());
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_told_and_one_that_went_away_is_not_needed() {
    let scratch = Scratch::new();
    fs::create_dir_all(&scratch.0).unwrap();
    let file = scratch.0.join("file");
    fs::write(&file, b"").unwrap();
    for bad in [file.clone(), file.join("below")] {
        let refused = Disk::open(&DiskCache::new(bad), FRESH).err().unwrap();
        assert!(matches!(refused.kind(), crate::ErrorKind::Storage { .. }), "{refused:?}");
    }
    let disk = open(&Scratch(scratch.0.join("gone")), 1 << 20);
    let one = wanted("https://h/a", Some("A"), 0);
    let _ = fs::remove_dir_all(scratch.0.join("gone"));
    disk.put(&one, Bytes::from_static(b"x"), None, Some("A".into()), None);
    disk.settle();
    assert_eq!(get(&disk, &one), None, "it could not be kept");
    assert!(wait(disk.lease(&one, soon())).is_none());
}

#[cfg(unix)]
#[test]
fn others_may_not_look_into_it() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let _disk = open(&scratch, 1 << 20);
    assert_eq!(fs::metadata(&scratch.0).unwrap().permissions().mode() & 0o777, 0o700);
}
