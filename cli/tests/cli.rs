//! The program as scripts see it: exit codes, lines on standard error, and the files it writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("swath-cli-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
    fn names(&self) -> Vec<String> {
        fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn swath(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_swath")).args(arguments).output().unwrap()
}

/// Standard error of a run that must succeed.
fn succeeds(arguments: &[&str]) -> String {
    let output = swath(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
    error
}

fn json(arguments: &[&str]) -> Value {
    let output = swath(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one line on standard error of a run that must fail.
fn fails(arguments: &[&str], code: i32) -> String {
    let output = swath(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(error.starts_with("error: "), "{arguments:?}: {error}");
    if code == 1 {
        assert_eq!((error.lines().count(), output.stdout.len()), (1, 0), "{arguments:?}: {error}");
    }
    error
}

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name).to_str().unwrap().to_owned()
}

/// A Zarr v2 array without compression; chunks for which `chunk` gives nothing are not there.
fn zarr(folder: &Path, dtype: &str, shape: &[u64], chunks: &[u64], chunk: impl Fn(&[u64]) -> Option<Vec<u8>>) {
    fs::create_dir_all(folder).unwrap();
    let text = format!(
        r#"{{"zarr_format":2,"shape":{shape:?},"chunks":{chunks:?},"dtype":{dtype},"compressor":null,"filters":null,"fill_value":0,"order":"C"}}"#
    );
    fs::write(folder.join(".zarray"), text).unwrap();
    let counts: Vec<u64> = shape.iter().zip(chunks).map(|(s, c)| s.div_ceil(*c)).collect();
    for number in 0..counts.iter().product() {
        let mut rest = number;
        let mut index = vec![0; counts.len()];
        for (i, n) in index.iter_mut().zip(&counts).rev() {
            *i = rest % n;
            rest /= n;
        }
        if let Some(bytes) = chunk(&index) {
            let name: Vec<String> = index.iter().map(u64::to_string).collect();
            fs::write(folder.join(name.join(".")), bytes).unwrap();
        }
    }
}

/// 6 x 8 of u16, value 100 y + x, in chunks of 4 x 4.
fn small(folder: &Folder, name: &str) -> String {
    let value = |y: u64, x: u64| u16::try_from(100 * y + x).unwrap().to_le_bytes();
    let chunk = |index: &[u64]| Some((0..16).flat_map(|i| value(index[0] * 4 + i / 4, index[1] * 4 + i % 4)).collect());
    zarr(&folder.0.join(name), "\"<u2\"", &[6, 8], &[4, 4], chunk);
    folder.path(name)
}

fn small_bytes(rows: std::ops::Range<u16>, columns: std::ops::Range<u16>) -> Vec<u8> {
    rows.flat_map(|y| columns.clone().flat_map(move |x| (100 * y + x).to_le_bytes())).collect()
}

#[test]
fn canonical_bytes_of_every_fixture() {
    let folder = Folder::new();
    let out = folder.path("out.bin");
    let expected: Value = serde_json::from_slice(&fs::read(fixture("EXPECTED.json")).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (name, parts) in expected.as_object().unwrap() {
        for (part, holds) in parts.as_object().unwrap() {
            let is_tiff = Path::new(name).extension().is_some_and(|e| e == "tif" || e == "ovr" || e == "msk");
            let output = swath(&["read", &fixture(name), if is_tiff { "--ifd" } else { "--array" }, part, "-o", &out]);
            if !output.status.success() {
                wrong.push(format!("{name} {part}: {}", String::from_utf8_lossy(&output.stderr).trim()));
                continue;
            }
            let bytes = fs::read(&out).unwrap();
            let crc = format!("{:08x}", crc32fast::hash(&bytes));
            let length = holds["bytes"].as_u64().unwrap() == bytes.len() as u64;
            if !length || holds["crc32"].as_str().is_some_and(|expected| expected != crc && holds.get("pixels").is_none()) {
                wrong.push(format!("{name} {part}: {} bytes, crc32 {crc}, expected {holds}", bytes.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn malformed_files_are_answered() {
    let folder = Folder::new();
    let out = folder.path("out.bin");
    let mut answered = 0;
    for entry in fs::read_dir(fixture("bad")).unwrap() {
        let path = entry.unwrap().path();
        let output = swath(&["read", path.to_str().unwrap(), "-o", &out]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => assert!(Path::new(&out).exists()),
            Some(1) => assert!(error.starts_with("error: ") && error.lines().count() == 1, "{path:?}: {error}"),
            other => panic!("{path:?}: {other:?} {error}"),
        }
        drop(fs::remove_file(&out));
        answered += 1;
    }
    assert!(answered > 5);
}

#[test]
fn wrong_usage_exits_2() {
    let folder = Folder::new();
    let (store, tiff, out) = (small(&folder, "a"), fixture("scene.tif"), folder.path("out.bin"));
    for arguments in [
        vec![],
        vec!["nonsense"],
        vec!["read", &store],
        vec!["read", &store, "-o", "out.tif"],
        vec!["read", &store, "-o", "out"],
        vec!["read", &store, "-o", &out, "--level", "0"],
        vec!["read", &store, "-o", &out, "--ifd", "0"],
        vec!["read", &store, "-o", &out, "--region", "a,b"],
        vec!["read", &tiff, "-o", &out, "--array", "x"],
        vec!["read", &tiff, "-o", &out, "--ifd", "0", "--level", "0"],
        vec!["read", &tiff, "-o", &out, "--ifd", "1."],
        vec!["plan", &tiff, "--level", "-1"],
        vec!["info"],
    ] {
        fails(&arguments, 2);
    }
    let told = fails(&["info", &tiff, "--header", "Bearer secret-token"], 2);
    assert!(!told.contains("secret-token"), "{told}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn failures_exit_1_and_leave_nothing() {
    let folder = Folder::new();
    let (store, tiff) = (small(&folder, "a"), fixture("scene.tif"));
    fs::write(folder.path("text"), "not an image\n").unwrap();
    fs::write(folder.0.join("a/1.1"), "short").unwrap();
    let (text, missing) = (folder.path("text"), folder.path("missing"));
    let before = folder.names();
    for kind in ["bin", "npy", "png"] {
        let out = folder.path(&format!("out.{kind}"));
        for arguments in [
            vec![missing.as_str()],
            vec![&text],
            vec![&store],
            vec![&store, "--region", "0:9,:"],
            vec![&store, "--region", "0"],
            vec![&store, "--array", "no/such"],
            vec![&tiff, "--level", "9"],
            vec![&tiff, "--ifd", "0.7"],
        ] {
            fails(&[&["read", "-o", &out], arguments.as_slice()].concat(), 1);
            assert_eq!(folder.names().len(), before.len(), "{arguments:?}");
        }
    }
    fails(&["read", &store, "--region", "0,0", "-o", &folder.path("no/such/folder/out.bin")], 1);
    fails(&["info", &missing], 1);
    fails(&["plan", &missing], 1);
}

#[test]
fn regions_levels_and_names() {
    let folder = Folder::new();
    let (store, out) = (small(&folder, "group/a"), folder.path("out.bin"));
    fs::write(folder.path("group/.zgroup"), r#"{"zarr_format":2}"#).unwrap();
    let group = folder.path("group");
    let reads = |arguments: &[&str]| {
        succeeds(&[&["read", "-o", &out], arguments].concat());
        fs::read(&out).unwrap()
    };
    assert_eq!(reads(&[&store]), small_bytes(0..6, 0..8));
    assert_eq!(reads(&[&store, "--array", ""]), small_bytes(0..6, 0..8));
    assert_eq!(reads(&[&group]), small_bytes(0..6, 0..8), "the only array of a group");
    assert_eq!(reads(&[&group, "--array", "a", "--region", "2,:"]), small_bytes(2..3, 0..8));
    assert_eq!(reads(&[&group, "--array", "a", "--region", "1:5,3:"]), small_bytes(1..5, 3..8));
    assert!(reads(&[&group, "--array", "a", "--region", "3:3,:"]).is_empty());

    small(&folder, "group/b");
    let told = fails(&["read", &group, "-o", &out], 1);
    assert!(told.contains(": a b"), "{told}");

    let scene = fixture("scene.tif");
    let level = reads(&[&scene, "--level", "1"]);
    assert_eq!(level.len(), 4 * 512 * 512 * 2);
    assert_eq!(level, reads(&[&scene, "--ifd", "1"]));
    let whole = reads(&[&scene]);
    let part = reads(&[&scene, "--region", "2,100:300,:"]);
    let plane = 1024 * 1024 * 2;
    assert!(part == whole[2 * plane + 100 * 2048..2 * plane + 300 * 2048]);
}

#[test]
fn npy_has_a_header_that_numpy_reads() {
    let folder = Folder::new();
    let (store, out) = (small(&folder, "a"), folder.path("out.npy"));
    succeeds(&["read", &store, "--region", "0:2,:", "-o", &out]);
    let bytes = fs::read(&out).unwrap();
    let (header, data) = bytes.split_at(128);
    assert_eq!(&header[..10], b"\x93NUMPY\x01\x00\x76\x00");
    let text = std::str::from_utf8(&header[10..]).unwrap();
    assert_eq!(text.trim_end(), "{'descr': '<u2', 'fortran_order': False, 'shape': (2, 8), }");
    assert!(text.ends_with('\n'));
    assert_eq!(data, small_bytes(0..2, 0..8));

    let record = folder.0.join("record");
    zarr(&record, r#"[["a","<u2"],["b","|i1"]]"#, &[2], &[2], |_| Some(vec![1, 0, 2, 3, 0, 4]));
    fs::write(record.join(".zarray"), fs::read_to_string(record.join(".zarray")).unwrap().replace("\"fill_value\":0", "\"fill_value\":null"))
        .unwrap();
    succeeds(&["read", record.to_str().unwrap(), "-o", &out]);
    let bytes = fs::read(&out).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("'descr': [('a', '<u2'), ('b', '|i1')], 'fortran_order': False, 'shape': (2,), }"));
    assert!(bytes.ends_with(&[1, 0, 2, 3, 0, 4]));
}

/// More than one slab is read, cut between chunks, and what is not stored stays zero.
#[test]
fn slabs_give_what_one_read_gives() {
    let folder = Folder::new();
    let (height, width) = (4096_u64, 5120_u64);
    let value = |band: u64, y: u64, x: u64| (band * 31 + y * 7 + x * 3 + ((y * x) >> 9)).to_le_bytes()[0];
    let chunk = |index: &[u64]| {
        let rows = index[1] * 512..(index[1] + 1) * 512;
        let plane = |band: u64| rows.clone().flat_map(move |y| (0..width).map(move |x| value(band, y, x)));
        (index[1] != 5).then(|| plane(0).chain(plane(1)).collect())
    };
    zarr(&folder.0.join("a"), "\"|u1\"", &[2, height, width], &[2, 512, width], chunk);
    let (store, out) = (folder.path("a"), folder.path("out.bin"));
    let stats: Value = serde_json::from_str(&succeeds(&["read", &store, "-o", &out, "--stats"])).unwrap();
    assert_eq!((stats["slabs"].as_u64(), stats["chunks"].as_u64(), stats["absent"].as_u64()), (Some(2), Some(8), Some(1)), "{stats}");
    assert_eq!(stats["output_bytes"].as_u64(), Some(2 * height * width));
    let bytes = fs::read(&out).unwrap();
    assert_eq!(bytes.len() as u64, 2 * height * width);
    let at = |band: u64, y: u64, x: u64| bytes[usize::try_from((band * height + y) * width + x).unwrap()];
    for (y, x) in (0..height).step_by(61).flat_map(|y| (0..width).step_by(97).map(move |x| (y, x))) {
        for band in 0..2 {
            let expected = if y / 512 == 5 { 0 } else { value(band, y, x) };
            assert_eq!(at(band, y, x), expected, "{band} {y} {x}");
        }
    }
    succeeds(&["read", &store, "--region", "1,500:600,:", "-o", &out]);
    let part = fs::read(&out).unwrap();
    let start = usize::try_from((height + 500) * width).unwrap();
    assert!(part == bytes[start..start + part.len()]);
}

struct Picture {
    width: u32,
    height: u32,
    color: png::ColorType,
    pixels: Vec<u8>,
}

fn picture(arguments: &[&str]) -> Picture {
    let folder = Folder::new();
    let out = folder.path("out.png");
    succeeds(&[&["read", "-o", &out], arguments].concat());
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(&out).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    Picture { width: info.width, height: info.height, color: info.color_type, pixels }
}

#[test]
fn pictures() {
    let scene = picture(&[&fixture("scene.tif"), "--level", "1", "--region", ":,0:100,:"]);
    assert_eq!((scene.width, scene.height, scene.color), (512, 100, png::ColorType::Rgba));
    let red: Vec<u8> = scene.pixels.iter().step_by(4).copied().collect();
    assert!(red.contains(&0) && red.contains(&255), "stretched");

    let terrain = picture(&[&fixture("terrain.tif")]);
    assert_eq!((terrain.width, terrain.height, terrain.color), (512, 512, png::ColorType::GrayscaleAlpha));
    let opaque = terrain.pixels.chunks(2).filter(|p| p[1] == 255).count();
    assert!(opaque > 100_000 && opaque < 512 * 512, "{opaque} of the pixels have a value");

    let folder = Folder::new();
    zarr(&folder.0.join("grey"), "\"|u1\"", &[2, 3], &[2, 3], |_| Some(vec![0, 1, 2, 100, 254, 255]));
    let grey = picture(&[&folder.path("grey")]);
    assert_eq!((grey.color, grey.pixels), (png::ColorType::Grayscale, vec![0, 1, 2, 100, 254, 255]), "8 bits stay as they are");

    let climate = fixture("climate.zarr");
    let told = fails(&["read", &climate, "--array", "t2m", "-o", &folder.path("x.png")], 1);
    assert!(told.contains("--region") && told.contains("0,:,:"), "{told}");
    let month = picture(&[&climate, "--array", "t2m", "--region", "0,:,:"]);
    assert_eq!((month.width, month.height), (180, 90));
    fails(&["read", &climate, "--array", "lat", "-o", &folder.path("x.png")], 1);
    fails(&["read", &climate, "--array", "t2m", "--region", "0:0,:,:", "-o", &folder.path("x.png")], 1);
}

#[test]
fn info_says_what_it_is() {
    let scene = json(&["info", "--json", &fixture("scene.tif")]);
    assert_eq!((&scene["kind"], &scene["dtype"]), (&"tiff".into(), &"uint16".into()));
    assert_eq!(scene["size"], serde_json::json!([1024, 1024]));
    assert_eq!(scene["overviews"], serde_json::json!([2, 4]));
    assert_eq!(scene["block"], serde_json::json!([256, 256]));
    assert_eq!((&scene["bands"], &scene["epsg"], &scene["mask"]), (&4.into(), &32632.into(), &"nodata".into()));
    assert_eq!((&scene["compression"], &scene["requests"]), (&"DEFLATE".into(), &1.into()));
    assert_eq!(json(&["info", "--json", &fixture("terrain.tif")])["nodata"], serde_json::json!(-9999.0));

    for store in ["climate.zarr", "climate_v3.zarr"] {
        let info = json(&["info", "--json", &fixture(store)]);
        assert_eq!(info["kind"], "zarr");
        assert_eq!(info["arrays"]["t2m"]["shape"], serde_json::json!([12, 90, 180]));
        assert_eq!(info["arrays"]["rain"]["dtype"], "float32");
        assert_eq!(info["arrays"].as_object().unwrap().len(), 5);
    }
    for name in ["scene.tif", "terrain.tif", "climate.zarr", "climate_v3.zarr"] {
        let output = swath(&["info", &fixture(name)]);
        assert!(output.status.success() && output.stdout.len() > 200, "{name}");
    }
}

#[test]
fn plans_tell_requests_and_read_keeps_to_them() {
    let folder = Folder::new();
    let out = folder.path("out.bin");
    let arguments = [fixture("scene.tif"), "--region".into(), ":,200:600,0:256".into()];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = swath(&[&["plan"], arguments.as_slice()].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("3 chunks, ") && text.contains("scene.tif"), "{text}");
    let plan = json(&[&["plan", "--json"], arguments.as_slice()].concat());
    let stats = succeeds(&[&["read", "--stats", "-o", &out], arguments.as_slice()].concat());
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(plan["requests"].as_array().unwrap().len() as u64, stats["requests"].as_u64().unwrap());
    assert_eq!(plan["bytes"], stats["bytes"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_swath"))
        .args(["info", "--json", &fixture("scene.tif")])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn masked() -> Value {
    serde_json::from_slice(&fs::read(fixture("MASKED.json")).unwrap()).unwrap()
}

#[test]
fn validity_of_every_level_that_is_told_of() {
    let folder = Folder::new();
    let out = folder.path("out.bin");
    for (name, levels) in masked().as_object().unwrap() {
        for (level, holds) in levels.as_object().unwrap() {
            succeeds(&["read", &fixture(name), "--level", level, "--mask", "-o", &out]);
            let crc = format!("{:08x}", crc32fast::hash(&fs::read(&out).unwrap()));
            assert_eq!(holds["valid"], crc, "{name} {level}");
        }
    }
}

/// The elements of a `.npy` file behind its header, which must name this type and shape.
fn npy(path: &str, says: &str) -> Vec<u8> {
    let file = fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    let header = String::from_utf8_lossy(&file[..start]).into_owned();
    assert!(header.contains(says), "{header}");
    file[start..].to_vec()
}

#[test]
fn quantities_and_bands() {
    let folder = Folder::new();
    let (tiff, out, raw) = (fixture("masked/scales_sparse.tif"), folder.path("out.npy"), folder.path("raw.bin"));
    succeeds(&["read", &tiff, "--bands", "1,0,0", "--region", ":,0:4,0:18", "--scaled", "-o", &out]);
    let quantities = npy(&out, "'<f4', 'fortran_order': False, 'shape': (3, 4, 18)");
    let mut at = 0;
    // Scale and offset of each band as the fixture's maker set them; nodata is -32768.
    for (band, scale, offset) in [(1, 0.5, -3.0), (0, 0.01, 273.15), (0, 0.01, 273.15)] {
        succeeds(&["read", &tiff, "--region", &format!("{band},0:4,0:18"), "-o", &raw]);
        for stored in fs::read(&raw).unwrap().chunks_exact(2) {
            let stored = i16::from_le_bytes([stored[0], stored[1]]);
            let quantity = f32::from_le_bytes(quantities[at..at + 4].try_into().unwrap());
            at += 4;
            if stored == i16::MIN {
                assert!(quantity.is_nan());
            } else {
                assert!((f64::from(quantity) - (f64::from(stored) * scale + offset)).abs() < 1e-3, "{stored} {quantity}");
            }
        }
    }
    assert_eq!(at, quantities.len());
    // Bands in planes are fetched alone.
    let whole = json(&["plan", &tiff, "--json"]);
    let one = json(&["plan", &tiff, "--bands", "1", "--json"]);
    assert_eq!((whole["chunks"].as_u64(), one["chunks"].as_u64()), (Some(12), Some(4)));
    assert!(one["bytes"].as_u64() < whole["bytes"].as_u64());
    // Of wider numbers quantities are wider too.
    succeeds(&["read", &fixture("tiff/tiles_int32.tif"), "--scaled", "-o", &out]);
    npy(&out, "'<f8'");
}

#[test]
fn bounds_are_a_region() {
    let folder = Folder::new();
    let (tiff, a, b) = (fixture("scene.tif"), folder.path("a.bin"), folder.path("b.bin"));
    succeeds(&["read", &tiff, "--bounds", "600010,5299990,600030,5300020", "-o", &a]);
    succeeds(&["read", &tiff, "--region", ":,2:5,1:3", "-o", &b]);
    assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
    succeeds(&["read", &tiff, "--level", "2", "--bounds", "-1,-1,600040,1e9", "-o", &a]);
    assert_eq!(fs::read(&a).unwrap().len(), 4 * 256 * 2);
    fails(&["read", &tiff, "--bounds", "0,0,1,1", "-o", &a], 1);
    let out = folder.path("out.png");
    for wrong in [
        vec!["--bounds", "0,0,1"],
        vec!["--bounds", "0,0,1,1", "--region", ":,:,:"],
        vec!["--bounds", "0,0,1,1", "--ifd", "0"],
        vec!["--bands", "4"],
        vec!["--scaled", "--mask"],
        vec!["--scaled"],
    ] {
        fails(&[vec!["read", &tiff, "-o", &out], wrong].concat(), 2);
    }
    fails(&["read", &small(&folder, "store"), "--bounds", "0,0,1,1", "-o", &a], 2);
}

#[test]
fn regions_of_complex_integers_count_numbers() {
    let folder = Folder::new();
    let tiff = fixture("tiff/tiles_complex_int16.tif");
    let (whole, part, npy_file) = (folder.path("whole.bin"), folder.path("part.bin"), folder.path("part.npy"));
    succeeds(&["read", &tiff, "-o", &whole]);
    let shape: Vec<usize> =
        json(&["info", "--json", &tiff])["written_shape"].as_array().unwrap().iter().map(|n| usize::try_from(n.as_u64().unwrap()).unwrap()).collect();
    let &[bands, rows, numbers] = shape.as_slice() else { panic!("{shape:?}") };
    let whole = fs::read(&whole).unwrap();
    assert_eq!(whole.len(), bands * rows * numbers * 2);
    // Whole pairs, halves at either end, one number, none.
    for columns in [0..numbers, 1..numbers - 1, 7..20, 6..21, numbers - 1..numbers, 5..5] {
        let region = format!(":,3:11,{}:{}", columns.start, columns.end);
        succeeds(&["read", &tiff, "--region", &region, "-o", &part]);
        let at = |band: usize, row: usize| ((band * rows + row) * numbers + columns.start) * 2;
        let places = (0..bands).flat_map(|band| (3..11).map(move |row| (band, row)));
        let expected: Vec<u8> = places.flat_map(|(band, row)| whole[at(band, row)..][..columns.len() * 2].to_vec()).collect();
        assert_eq!(fs::read(&part).unwrap(), expected, "{region}");
        succeeds(&["read", &tiff, "--region", &region, "-o", &npy_file]);
        assert_eq!(npy(&npy_file, &format!("'<i2', 'fortran_order': False, 'shape': ({bands}, 8, {})", columns.len())), expected);
        let plan = json(&["plan", &tiff, "--region", &region, "--json"]);
        assert_eq!(plan["output_bytes"], expected.len(), "{region}");
        // Bands go one behind the other, each cropped.
        let last = (bands - 1).to_string();
        succeeds(&["read", &tiff, "--bands", &format!("{last},0"), "--region", &region, "-o", &part]);
        let band = expected.len() / bands;
        assert_eq!(fs::read(&part).unwrap(), [&expected[expected.len() - band..], &expected[..band]].concat(), "{region}");
    }
    // A mask has one number for each element.
    succeeds(&["read", &tiff, "--mask", "--region", &format!(":,:,0:{}", numbers / 2), "-o", &part]);
    assert_eq!(fs::read(&part).unwrap().len(), bands * rows * numbers / 2);
    fails(&["read", &tiff, "--region", &format!(":,:,0:{}", numbers + 1), "-o", &part], 1);
}

#[test]
fn bench_tells_of_each_stage() {
    let url = fixture("scene.tif");
    let bench = json(&["bench", &url, "--region", ":,256:768,256:768", "--rounds", "2", "--threads", "2", "--json"]);
    let plan = json(&["plan", &url, "--region", ":,256:768,256:768", "--json"]);
    assert_eq!((bench["rounds"].as_u64(), bench["threads"].as_u64()), (Some(2), Some(2)));
    assert_eq!((&bench["region"], &bench["plan"]["chunks"], &bench["plan"]["bytes"]), (&plan["region"], &plan["chunks"], &plan["bytes"]));
    assert_eq!(bench["total"]["bytes"], plan["output_bytes"]);
    // Whole chunks are decoded, of which the region is a part.
    assert!(bench["decode"]["bytes"].as_u64().unwrap() >= plan["output_bytes"].as_u64().unwrap(), "{bench}");
    assert_eq!(bench["total"]["ms_of_each_round"].as_array().unwrap().len(), 2);
    for (stage, what) in [
        ("open", "requests"),
        ("open", "ms"),
        ("plan", "ms"),
        ("plan", "requests"),
        ("fetch", "requests"),
        ("fetch", "bytes"),
        ("decode", "thread_ms"),
        ("decode", "stored_bytes"),
        ("decode", "gb_per_s_per_thread"),
        ("place", "gb_per_s_per_thread"),
        ("total", "ms"),
        ("total", "gb_per_s"),
    ] {
        assert!(bench[stage][what].as_f64().unwrap() > 0.0, "{stage} {what}: {bench}");
    }

    let output = swath(&["bench", &fixture("climate.zarr"), "--array", "t2m", "--rounds", "1"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let stages: Vec<&str> = text.lines().skip(2).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(stages, ["open", "plan", "fetch", "decode", "place", "total"], "{text}");
    assert!(text.contains("median of 1 round, ") && text.contains(" GB/s a thread"), "{text}");
}

#[test]
fn bench_of_nothing_and_of_what_is_not_there() {
    let folder = Folder::new();
    // Stored as they stand: nothing is decoded, so there is no speed of it.
    let raw = json(&["bench", &small(&folder, "raw.zarr"), "--rounds", "1", "--json"]);
    assert_eq!((raw["total"]["bytes"].as_u64(), raw["decode"]["gb_per_s_per_thread"].is_null()), (Some(96), raw["decode"]["bytes"] == 0), "{raw}");
    let empty = json(&["bench", &small(&folder, "empty.zarr"), "--region", "2:2,:", "--rounds", "1", "--json"]);
    assert_eq!((empty["total"]["bytes"].as_u64(), empty["total"]["gb_per_s"].is_null()), (Some(0), true), "{empty}");
    assert!(fails(&["bench", &folder.path("nowhere.tif")], 1).contains("nowhere.tif"));
    assert!(fails(&["bench", &fixture("scene.tif"), "--rounds", "0"], 2).contains("--rounds"));
    assert!(fails(&["bench", &fixture("scene.tif"), "--threads", "no"], 2).contains("--threads"));
    assert!(fails(&["bench", &fixture("climate.zarr")], 1).contains("--array"));
}
