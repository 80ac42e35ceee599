//! Codecs against a second implementation each, for a chunk of the size that the first two bytes say.
//!
//! What both accept is equal. What one alone accepts is held to what the codec's documentation says of it, as each function tells.

use swath::codec::{Chain, ChunkContext, Encoder, Output, Registry, Scratch};
use swath::model::{CodecSpec, Compression, DataType, FillValue, Limits, LzwBits};

/// The bytes that a chunk has, at most 64 KiB, and its stream.
fn split(data: &[u8]) -> Option<(usize, &[u8])> {
    let (length, stream) = data.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_le_bytes(*length)), stream))
}

/// What Swath makes of a chunk: the same whatever stood in the output before.
fn ours(spec: CodecSpec, data_type: &DataType, shape: &[u64], stream: &[u8]) -> Option<Vec<u8>> {
    let mut limits = Limits::default();
    limits.max_chunk_bytes = 1 << 18;
    let chain = Chain::compile(&[spec], data_type, &FillValue::ZERO, &Registry::default(), &limits).expect("one codec");
    let chunk = ChunkContext::new(shape, data_type, &limits);
    let bytes = chunk.bytes().ok()??;
    let [first, second] = [0xa5, 0x5a].map(|before| {
        let mut out = vec![before; bytes];
        let done = chain.decode(stream, &chunk, &mut Scratch::default(), &mut Output::Exact(&mut out));
        done.is_ok().then_some(out)
    });
    assert!(first == second, "what stood in the output is in the result");
    first
}

fn of_bytes(spec: CodecSpec, length: usize, stream: &[u8]) -> Option<Vec<u8>> {
    ours(spec, &DataType::U8, &[length as u64], stream)
}

/// Both accept and give the same, or neither accepts.
#[track_caller]
fn same(ours: Option<&[u8]>, theirs: Option<&[u8]>) {
    assert_eq!(ours.is_some(), theirs.is_some(), "one alone accepts");
    both(ours, theirs);
}

/// Where both accept, both give the same.
#[track_caller]
fn both(ours: Option<&[u8]>, theirs: Option<&[u8]>) {
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        let at = || ours.iter().zip(theirs).position(|(a, b)| a != b);
        assert!(ours == theirs, "{} bytes and {}, different from byte {:?} on", ours.len(), theirs.len(), at());
    }
}

/// libdeflate against zlib-rs, of raw streams and of those with zlib's header.
pub(super) fn deflate(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    let Some((length, stream)) = split(data) else { return };
    let (spec, header) = match kind % 2 {
        0 => (CodecSpec::Deflate, false),
        _ => (CodecSpec::Zlib, true),
    };
    // A stream without zlib's header is raw to us, under either name.
    let is_zlib = stream.len() > 1 && stream[0] & 15 == 8 && u16::from_be_bytes([stream[0], stream[1]]) % 31 == 0;
    if header != (header && is_zlib) {
        return;
    }
    let mut theirs = zlib_rs::Inflate::new(header, 15);
    let mut out = vec![0; length + 1];
    let status = theirs.decompress(stream, &mut out, zlib_rs::InflateFlush::Finish);
    let ended = matches!(status, Ok(zlib_rs::Status::StreamEnd)) && theirs.total_out() == length as u64;
    same(of_bytes(spec, length, stream).as_deref(), ended.then_some(&out[..length]));
}

/// Our LZW against weezl's, most significant bit first, with the code's width changed early, as TIFF has it.
///
/// We end when the chunk is full, weezl at the end code; a code that is beyond the next free one is an error to both.
pub(super) fn lzw(data: &[u8]) {
    let Some((length, stream)) = split(data) else { return };
    // The older form.
    if matches!(stream, [0, second, ..] if second & 1 == 1) {
        return;
    }
    let Some(ours) = of_bytes(CodecSpec::Lzw(LzwBits::Msb), length, stream) else { return };
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    let mut out = vec![0; length + 8192];
    let (mut given, mut taken) = (0, 0);
    loop {
        let step = decoder.decode_bytes(&stream[taken..], &mut out[given..]);
        (taken, given) = (taken + step.consumed_in, given + step.consumed_out);
        if !matches!(step.status, Ok(weezl::LzwStatus::Ok)) || step.consumed_in + step.consumed_out == 0 {
            break;
        }
    }
    // What weezl gave before it ended, or refused to go on.
    let given = given.min(length);
    both(Some(&ours[..given]), Some(&out[..given]));
}

/// libzstd against ruzstd. Of streams that are damaged and have no checksum the two make different bytes, so what is compared is what we encode:
/// the rest of the input, at the level that the first byte says.
pub(super) fn zstd(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let Some((length, stream)) = split(data) else { return };
    let mut theirs = ruzstd::decoding::FrameDecoder::new();
    let mut out = vec![0; length];
    if how & 1 == 0 {
        let _any = (of_bytes(CodecSpec::Zstd, length, stream), theirs.decode_all(stream, &mut out));
        return;
    }
    // Half of the chunks are short, as most of the time goes with their length.
    let length = if how & 4 == 0 { length & 0xfff } else { length };
    let mut plain = stream.repeat(length.checked_div(stream.len()).map_or(0, |times| times + 1));
    plain.truncate(length);
    let compression = Compression::Zstd { level: i8::try_from(how >> 3).unwrap_or(0).min(20) - 5, checksum: how & 2 != 0 };
    let limits = Limits::default();
    let shape = [plain.len() as u64];
    let chunk = ChunkContext::new(&shape, &DataType::U8, &limits);
    let encoder = Encoder::compile(&[CodecSpec::Zstd], &DataType::U8, &compression).expect("one codec");
    let encoded = encoder.encode(plain.clone(), &chunk, &mut Scratch::default()).expect("any bytes can be encoded");
    let theirs = theirs.decode_all(&encoded, &mut out).ok().map(|given| &out[..given]);
    same(of_bytes(CodecSpec::Zstd, plain.len(), &encoded).as_deref(), theirs);
    same(Some(&plain), theirs);
}

/// Whether a block of LZ4 has a match at the distance 0. The format calls that damaged; the reference library takes it for zeros.
fn has_no_distance(block: &[u8]) -> bool {
    let mut bytes = block.iter().copied();
    let more = |bytes: &mut dyn Iterator<Item = u8>, start: u8| -> Option<usize> {
        let mut length = usize::from(start);
        let mut goes_on = start == 15;
        while goes_on {
            let byte = bytes.next()?;
            length += usize::from(byte);
            goes_on = byte == 255;
        }
        Some(length)
    };
    loop {
        let Some(token) = bytes.next() else { return false };
        let Some(literals) = more(&mut bytes, token >> 4) else { return false };
        let mut bytes_of_distance = bytes.by_ref().skip(literals);
        let (Some(low), Some(high)) = (bytes_of_distance.next(), bytes_of_distance.next()) else { return false };
        if low == 0 && high == 0 {
            return true;
        }
        if more(&mut bytes, token & 15).is_none() {
            return false;
        }
    }
}

/// The reference library of LZ4 against lz4_flex: a length, then one block.
pub(super) fn lz4(data: &[u8]) {
    let Some((length, stream)) = split(data) else { return };
    let Some((told, block)) = stream.split_first_chunk::<4>() else { return };
    let mut out = vec![0; length];
    let theirs = lz4_flex::block::decompress_into(block, &mut out).is_ok_and(|given| given == length);
    let theirs = theirs && u32::from_le_bytes(*told) as usize == length;
    let ours = of_bytes(CodecSpec::Lz4, length, stream);
    if !has_no_distance(block) {
        same(ours.as_deref(), theirs.then_some(&out[..]));
    }
}

/// Our LERC2 against lerc-rs.
pub(super) fn lerc(data: &[u8]) {
    use lerc::SampleData;
    // What is left to that library is no test, and more than a chunk is nothing to compare.
    if !data.starts_with(b"Lerc2 ") {
        return;
    }
    let Ok(info) = lerc::decode_info(data) else { return };
    let (width, height, samples) = (u64::from(info.width), u64::from(info.height), u64::from(info.depth.max(1)) * u64::from(info.bands.max(1)));
    if width.saturating_mul(height).saturating_mul(samples) > 1 << 13 {
        return;
    }
    let data_type = match info.data_type {
        lerc::DataType::Char => DataType::I8,
        lerc::DataType::Byte => DataType::U8,
        lerc::DataType::Short => DataType::I16,
        lerc::DataType::UShort => DataType::U16,
        lerc::DataType::Int => DataType::I32,
        lerc::DataType::UInt => DataType::U32,
        lerc::DataType::Float => DataType::F32,
        lerc::DataType::Double => DataType::F64,
    };
    let samples_here = usize::try_from(samples).unwrap_or(1);
    let Some(ours) = ours(CodecSpec::Lerc { samples: samples_here.try_into().unwrap_or(1) }, &data_type, &[height, width, samples], data) else {
        return;
    };
    let Ok(image) = lerc::decode(data) else { return };
    let stored: &[u8] = match &image.data {
        SampleData::I8(v) => as_bytes(v),
        SampleData::U8(v) => as_bytes(v),
        SampleData::I16(v) => as_bytes(v),
        SampleData::U16(v) => as_bytes(v),
        SampleData::I32(v) => as_bytes(v),
        SampleData::U32(v) => as_bytes(v),
        SampleData::F32(v) => as_bytes(v),
        SampleData::F64(v) => as_bytes(v),
    };
    let element = data_type.size().unwrap_or(1);
    let (depth, bands) = (image.depth as usize, image.bands as usize);
    let all = image.width as usize * image.height as usize;
    let mut theirs = Vec::with_capacity(ours.len());
    for k in 0..all {
        for band in 0..bands {
            let valid = image.valid_masks.get(band).is_none_or(|mask| mask.is_valid(k));
            for d in 0..depth {
                let at = ((band * all + k) * depth + d) * element;
                match (valid, &data_type) {
                    (true, _) => theirs.extend_from_slice(&stored[at..at + element]),
                    (false, DataType::F32) => theirs.extend_from_slice(&f32::NAN.to_ne_bytes()),
                    (false, DataType::F64) => theirs.extend_from_slice(&f64::NAN.to_ne_bytes()),
                    (false, _) => theirs.resize(theirs.len() + element, 0),
                }
            }
        }
    }
    both(Some(&ours), Some(&theirs));
}

fn as_bytes<T: bytemuck::NoUninit>(values: &[T]) -> &[u8] {
    bytemuck::cast_slice(values)
}

/// Our Blosc against C Blosc, which trusts more than we do: it is asked only where it says itself that the container is whole.
#[cfg(fuzzing)]
pub(super) fn blosc(data: &[u8]) {
    let Some((length, stream)) = split(data) else { return };
    let Some(ours) = of_bytes(CodecSpec::Blosc, length, stream) else { return };
    let mut told = 0;
    // SAFETY: the pointers are of slices with these lengths.
    let valid = unsafe { blosc_src::blosc_cbuffer_validate(stream.as_ptr().cast(), stream.len(), &raw mut told) };
    if valid != 0 || told != length {
        return;
    }
    let mut out = vec![0_u8; length];
    // SAFETY: the container was found to be as long as its header says, and the output has room for what it says.
    let given = unsafe { blosc_src::blosc_decompress_ctx(stream.as_ptr().cast(), out.as_mut_ptr().cast(), out.len(), 1) };
    both(Some(&ours), usize::try_from(given).ok().map(|given| &out[..given]));
}
