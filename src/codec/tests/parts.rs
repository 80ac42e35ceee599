//! Parts of chunks: wanted rows, beginnings, blocks by several threads.

use super::*;
use crate::codec::encode::Encoder;
use crate::model::{BloscCompressor, BloscShuffle, Compression};

const ROWS: u64 = 3000;
const ROW: usize = 2000;

/// 3000 rows of 1000 numbers: 23 blocks of 256 KiB.
fn plain() -> Vec<u8> {
    (0..3_000_000u32).flat_map(|i| ((i / 1000 * 3 + i % 1000 + (i.wrapping_mul(2_654_435_761) >> 30)) as u16).to_ne_bytes()).collect()
}

fn encoded(spec: &CodecSpec, compression: &Compression, plain: &[u8]) -> Vec<u8> {
    let limits = Limits::default();
    let chunk = ChunkContext::new(&[ROWS, 1000], &DataType::U16, &limits);
    let encoder = Encoder::compile(std::slice::from_ref(spec), &DataType::U16, compression).unwrap();
    encoder.encode(plain.to_vec(), &chunk, &mut Scratch::default()).unwrap()
}

#[cfg(feature = "read")]
fn shared() -> Scratch {
    let mut scratch = Scratch::default();
    scratch.shares = true;
    scratch
}

#[cfg(feature = "blosc")]
mod blosc {
    use super::*;
    use crate::codec::blosc::Blosc;

    fn compressions() -> impl Iterator<Item = Compression> {
        let shuffles = [BloscShuffle::Bytes, BloscShuffle::Bits, BloscShuffle::None];
        let each = |shuffle| [(BloscCompressor::Lz4, 5), (BloscCompressor::Zstd, 1), (BloscCompressor::Lz4, 0)].map(|(c, level)| (c, level, shuffle));
        shuffles.into_iter().flat_map(each).map(|(compressor, level, shuffle)| Compression::Blosc { compressor, level, shuffle })
    }

    #[test]
    fn only_the_blocks_of_wanted_rows_are_decoded() {
        let (limits, mut scratch, plain) = (Limits::default(), Scratch::default(), plain());
        for compression in compressions() {
            let stored = encoded(&CodecSpec::Blosc, &compression, &plain);
            for rows in [0..1, 0..ROWS, 500..600, 131..132, 2990..ROWS, 77..77, 2999..9000] {
                let mut chunk = ChunkContext::new(&[ROWS, 1000], &DataType::U16, &limits);
                chunk.wanted = Some(rows.start as usize * 1000..rows.end as usize * 1000);
                let wanted = rows.start as usize * ROW..(rows.end.min(ROWS) as usize * ROW).max(rows.start as usize * ROW);
                let mut out = vec![0xaa; plain.len()];
                Blosc.decode(&stored, &chunk, &mut scratch, &mut Output::Exact(&mut out)).unwrap();
                assert!(out[wanted.clone()] == plain[wanted.clone()], "{compression:?} {rows:?}");
                let far = wanted.end + (256 << 10);
                assert!(out.get(far..).is_none_or(|rest| rest.iter().all(|b| *b == 0xaa)), "{compression:?} {rows:?}");
                let near = wanted.start.saturating_sub(256 << 10);
                assert!(out[..near].iter().all(|b| *b == 0xaa), "{compression:?} {rows:?}");
                let mut beginning = vec![0xaa; wanted.end];
                Blosc.decode(&stored, &chunk, &mut scratch, &mut Output::Prefix(&mut beginning)).unwrap();
                assert!(beginning[wanted.clone()] == plain[wanted], "{compression:?} {rows:?}");
            }
            // Shorter than the chunk, and nothing says that this is meant.
            let chunk = ChunkContext::new(&[ROWS, 1000], &DataType::U16, &limits);
            assert!(Blosc.decode(&stored, &chunk, &mut scratch, &mut Output::Prefix(&mut [0; 4000])).is_err());
        }
    }

    #[cfg(feature = "read")]
    #[test]
    fn threads_of_a_pool_share_the_blocks() {
        let (limits, plain) = (Limits::default(), plain());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let decode = |stored: &[u8]| {
            let chunk = ChunkContext::new(&[ROWS, 1000], &DataType::U16, &limits);
            let mut out = vec![0xaa; plain.len()];
            pool.install(|| Blosc.decode(stored, &chunk, &mut shared(), &mut Output::Exact(&mut out))).map(|()| out)
        };
        for compression in compressions() {
            let stored = encoded(&CodecSpec::Blosc, &compression, &plain);
            for _ in 0..10 {
                assert!(decode(&stored).unwrap() == plain, "{compression:?}");
            }
            // The place of the twentieth block.
            let mut damaged = stored.clone();
            damaged[16 + 19 * 4..][..4].fill(0xff);
            let level_zero = matches!(compression, Compression::Blosc { level: 0, .. });
            assert_eq!(decode(&damaged).is_err(), !level_zero, "{compression:?}");
        }
    }

    #[cfg(feature = "read")]
    #[test]
    fn threads_of_a_pool_share_a_shard() {
        use crate::codec::shard::Shard;
        let (limits, plain) = (Limits::default(), plain());
        // Inner chunks of 100 x 250, stored as they are and one left out.
        let (mut stored, mut index, mut expected) = (Vec::new(), Vec::new(), plain.clone());
        for i in 0..120 {
            let (y, x) = (i / 4 * 100, i % 4 * 500);
            if i == 50 {
                index.extend([0xff; 16]);
                (0..100).for_each(|row| expected[(y + row) * ROW + x..][..500].fill(0));
                continue;
            }
            index.extend((stored.len() as u64).to_ne_bytes().into_iter().chain(50_000u64.to_ne_bytes()));
            (0..100).for_each(|row| stored.extend_from_slice(&plain[(y + row) * ROW + x..][..500]));
        }
        stored.extend_from_slice(&index);
        let compile = |data_type| Chain::compile(&[], &data_type, &FillValue::ZERO, &Registry::default(), &limits).unwrap();
        let (chain, index_chain) = (compile(DataType::U16), compile(DataType::U64));
        let shard = Shard { chunk: vec![100, 250], chain, index_chain, index_at_start: false, fill: bytes::Bytes::new(), element: 2 };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let mut chunk = ChunkContext::new(&[ROWS, 1000], &DataType::U16, &limits);
        let decode = |chunk: &ChunkContext<'_>| {
            let mut out = vec![0xaa; plain.len()];
            pool.install(|| shard.decode(&stored, chunk, &mut shared(), &mut Output::Exact(&mut out))).map(|()| out).unwrap()
        };
        assert!(decode(&chunk) == expected);
        chunk.wanted = Some(150_000..310_000);
        let out = decode(&chunk);
        assert!(out[100 * ROW..400 * ROW] == expected[100 * ROW..400 * ROW]);
        assert!(out[..100 * ROW].iter().chain(&out[400 * ROW..]).all(|b| *b == 0xaa));
    }
}

/// Decoding stops behind the rows that are wanted: what follows may be damaged or missing. A shortage before is an error.
#[test]
fn a_beginning_is_decoded_alone() {
    let (limits, mut scratch, plain) = (Limits::default(), Scratch::default(), plain());
    let table = [
        (CodecSpec::Zlib, Compression::Zlib { level: 1 }),
        (CodecSpec::Gzip, Compression::Gzip { level: 1 }),
        (CodecSpec::Zstd, Compression::Zstd { level: 1, checksum: true }),
    ];
    for (spec, compression) in table {
        let stored = encoded(&spec, &compression, &plain);
        let codec: Box<dyn Codec> = match spec {
            CodecSpec::Zlib => Box::new(crate::codec::inflate::Deflate(crate::codec::inflate::Wrapping::Zlib)),
            CodecSpec::Gzip => Box::new(crate::codec::inflate::Deflate(crate::codec::inflate::Wrapping::Gzip)),
            _ => Box::new(crate::codec::zstd::Zstd),
        };
        assert!(codec.gives_prefix());
        for rows in [1, 100, 1500, 2050, 2150, 2999] {
            let mut chunk = ChunkContext::new(&[ROWS, 1000], &DataType::U16, &limits);
            chunk.wanted = Some(0..rows as usize * 1000);
            let mut decode = |stored: &[u8]| {
                let mut out = vec![0xaa; rows as usize * ROW];
                codec.decode(stored, &chunk, &mut scratch, &mut Output::Prefix(&mut out)).map(|()| out)
            };
            assert!(decode(&stored).unwrap() == plain[..rows as usize * ROW], "{spec:?} {rows}");
            // Streams are made of blocks; the numbers are as compressible everywhere.
            if rows < 2500 {
                let cut = stored.len() * (rows as usize + 400) / ROWS as usize;
                assert!(decode(&stored[..cut]).unwrap() == plain[..rows as usize * ROW], "{spec:?} {rows}");
            }
            let cut = stored.len() * (rows as usize).saturating_sub(300) / ROWS as usize;
            assert!(decode(&stored[..cut]).is_err(), "{spec:?} {rows}");
        }
    }
}
