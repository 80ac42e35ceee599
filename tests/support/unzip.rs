//! Members of a ZIP archive, stored or deflated (APPNOTE.TXT 6.3.10), for archives that the tests trust.

use std::path::Path;

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    bytes[at..at + N].iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte))
}

/// Unpacks an archive into a folder; how many files it held.
pub(crate) fn unzip(archive: &[u8], folder: &Path) -> usize {
    let end = archive.windows(4).rposition(|w| w == b"PK\x05\x06").expect("an archive");
    let (count, mut at) = (number::<2>(archive, end + 10), number::<4>(archive, end + 16));
    let mut files = 0;
    for _ in 0..count {
        assert_eq!(archive[at..at + 4], *b"PK\x01\x02");
        let [method, name, extra, comment] = [10, 28, 30, 32].map(|field| number::<2>(archive, at + field));
        let [stored, size, local] = [20, 24, 42].map(|field| number::<4>(archive, at + field));
        let path = std::str::from_utf8(&archive[at + 46..at + 46 + name]).unwrap();
        assert!(!path.starts_with('/') && path.split('/').all(|part| part != ".."), "{path}");
        at += 46 + name + extra + comment;
        if path.ends_with('/') {
            continue;
        }
        let start = local + 30 + number::<2>(archive, local + 26) + number::<2>(archive, local + 28);
        let data = &archive[start..start + stored];
        let bytes = match method {
            0 => data.to_vec(),
            8 => {
                let mut bytes = vec![0; size];
                let mut inflate = zlib_rs::Inflate::new(false, 15);
                if size > 0 {
                    let status = inflate.decompress(data, &mut bytes, zlib_rs::InflateFlush::Finish).unwrap();
                    assert_eq!((status, inflate.total_out()), (zlib_rs::Status::StreamEnd, size as u64), "{path}");
                }
                bytes
            }
            other => panic!("{path}: method {other}"),
        };
        let target = folder.join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::write(target, bytes).unwrap();
        files += 1;
    }
    files
}
