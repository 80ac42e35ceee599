//! Compressors, small and plain: the tests read what they write.

/// Deflate inside a zlib wrapper.
pub(crate) fn zlib(data: &[u8]) -> Vec<u8> {
    deflate(data, 15)
}

/// Deflate inside a gzip wrapper.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    deflate(data, 31)
}

fn deflate(data: &[u8], window_bits: i32) -> Vec<u8> {
    let mut out = vec![0; zlib_rs::compress_bound(data.len()) + 32];
    let config = zlib_rs::DeflateConfig { level: 3, window_bits, ..Default::default() };
    let (out, code) = zlib_rs::compress_slice(&mut out, data, config);
    assert!(matches!(code, zlib_rs::ReturnCode::Ok), "{code:?}");
    out.to_vec()
}

pub(crate) fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

/// numcodecs' `lz4`: the length, then one block.
pub(crate) fn lz4(data: &[u8]) -> Vec<u8> {
    let mut out = (data.len() as u32).to_le_bytes().to_vec();
    out.extend(lz4_flex::block::compress(data));
    out
}

/// TIFF's PackBits (TIFF 6.0, section 9): runs of three and more, the rest as it is. `row` bytes at a time.
pub(crate) fn pack_bits(data: &[u8], row: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for row in data.chunks(row.max(1)) {
        let mut literal: Vec<u8> = Vec::new();
        let mut at = 0;
        let flush = |literal: &mut Vec<u8>, out: &mut Vec<u8>| {
            for part in literal.chunks(128) {
                out.push((part.len() - 1) as u8);
                out.extend_from_slice(part);
            }
            literal.clear();
        };
        while at < row.len() {
            let run = row[at..].iter().take(128).take_while(|b| **b == row[at]).count();
            if run >= 3 {
                flush(&mut literal, &mut out);
                out.extend([(257 - run) as u8, row[at]]);
                at += run;
            } else {
                literal.push(row[at]);
                at += 1;
            }
        }
        flush(&mut literal, &mut out);
    }
    out
}

/// TIFF's LZW (TIFF 6.0, section 13): most significant bit first, codes widen one early.
pub(crate) fn lzw(data: &[u8]) -> Vec<u8> {
    const CLEAR: u32 = 256;
    const END: u32 = 257;
    let (mut out, mut bits, mut filled) = (Vec::new(), 0_u64, 0_u32);
    let mut put = |code: u32, width: u32| {
        bits = bits << width | u64::from(code);
        filled += width;
        while filled >= 8 {
            filled -= 8;
            out.push((bits >> filled) as u8);
        }
    };
    let mut table = std::collections::HashMap::new();
    let (mut next, mut width) = (258, 9);
    put(CLEAR, width);
    let mut prefix: Option<u32> = None;
    for byte in data {
        let Some(before) = prefix else {
            prefix = Some(u32::from(*byte));
            continue;
        };
        if let Some(code) = table.get(&(before, *byte)) {
            prefix = Some(*code);
            continue;
        }
        put(before, width);
        table.insert((before, *byte), next);
        next += 1;
        prefix = Some(u32::from(*byte));
        if next == 4094 {
            put(CLEAR, width);
            table.clear();
            (next, width) = (258, 9);
        } else if next >= 1 << width {
            width += 1;
        }
    }
    if let Some(last) = prefix {
        put(last, width);
        // The decoder adds a code for this one too, and may widen.
        if next + 1 >= 1 << width && width < 12 {
            width += 1;
        }
    }
    put(END, width);
    put(0, 7);
    out
}
