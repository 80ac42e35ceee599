//! Against `lerc-rs`: blobs of all kinds that its encoder writes, whole, cut short and damaged.

use lerc::bitmask::BitMask;
use lerc::{DataType as Type, Image, Precision, SampleData};

use super::*;

/// Numbers as random as a test needs.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n
    }
}

/// What the values are like: smooth, of a few kinds, noise in blocks, all but constant.
#[derive(Debug, Clone, Copy)]
enum Look {
    Smooth,
    Few,
    Noise,
    Flat,
}

const LOOKS: [Look; 4] = [Look::Smooth, Look::Few, Look::Noise, Look::Flat];

fn values(look: Look, width: usize, height: usize, depth: usize, dice: &mut Dice) -> Vec<f64> {
    let few = [3.0, 250.0, 17.0, 90.0, 91.0];
    let mut out = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for d in 0..depth {
                let smooth = 60.0 + 40.0 * ((x as f64) / 9.0).sin() + 0.37 * (y as f64) + 2.0 * d as f64;
                out.push(match look {
                    Look::Smooth => smooth + dice.below(4) as f64 * 0.25,
                    Look::Few => few[dice.below(if x / 8 % 3 == 0 { 1 } else { few.len() })],
                    Look::Noise => dice.below(1 << (1 + (x / 8 + y / 8) % 7)) as f64 * if x / 8 % 4 == 3 { 1.0 } else { 0.125 },
                    Look::Flat => f64::from(u8::from(x + 1 == width && y == height / 2)) + d as f64,
                });
            }
        }
    }
    out
}

fn data(kind: Type, v: &[f64], wide: bool) -> SampleData {
    // So that 16 and 32 bits are used too.
    let of = |m: f64, sign: f64| v.iter().map(move |v| if wide { v * m - sign * 60.0 * m } else { *v - sign * 60.0 }).collect::<Vec<f64>>();
    match kind {
        Type::Char => SampleData::I8(of(1.0, 1.0).iter().map(|v| *v as i8).collect()),
        Type::Byte => SampleData::U8(of(1.0, 0.0).iter().map(|v| *v as u8).collect()),
        Type::Short => SampleData::I16(of(100.0, 1.0).iter().map(|v| *v as i16).collect()),
        Type::UShort => SampleData::U16(of(200.0, 0.0).iter().map(|v| *v as u16).collect()),
        Type::Int => SampleData::I32(of(3e6, 1.0).iter().map(|v| *v as i32).collect()),
        Type::UInt => SampleData::U32(of(1e7, 0.0).iter().map(|v| *v as u32).collect()),
        Type::Float => SampleData::F32(of(1e3, 1.0).iter().map(|v| *v as f32).collect()),
        Type::Double => SampleData::F64(of(1e9, 1.0).iter().map(|v| *v / 3.0).collect()),
    }
}

fn data_type(kind: Type) -> DataType {
    match kind {
        Type::Char => DataType::I8,
        Type::Byte => DataType::U8,
        Type::Short => DataType::I16,
        Type::UShort => DataType::U16,
        Type::Int => DataType::I32,
        Type::UInt => DataType::U32,
        Type::Float => DataType::F32,
        Type::Double => DataType::F64,
    }
}

fn bytes(data: &SampleData) -> Vec<u8> {
    match data {
        SampleData::I8(v) => bytemuck::cast_slice(v).to_vec(),
        SampleData::U8(v) => v.clone(),
        SampleData::I16(v) => bytemuck::cast_slice(v).to_vec(),
        SampleData::U16(v) => bytemuck::cast_slice(v).to_vec(),
        SampleData::I32(v) => bytemuck::cast_slice(v).to_vec(),
        SampleData::U32(v) => bytemuck::cast_slice(v).to_vec(),
        SampleData::F32(v) => bytemuck::cast_slice(v).to_vec(),
        SampleData::F64(v) => bytemuck::cast_slice(v).to_vec(),
    }
}

fn mask(which: usize, pixels: usize, width: usize, dice: &mut Dice) -> BitMask {
    let mut mask = BitMask::all_valid(pixels);
    for k in 0..pixels {
        let lost = match which {
            0 => false,
            1 => dice.below(5) == 0,
            // Whole blocks, and the border of one.
            2 => k % width / 8 == 1 || k / width < 3,
            _ => true,
        };
        if lost {
            mask.set_invalid(k);
        }
    }
    mask
}

/// What `lerc-rs` makes of a blob, as the chunk has it, with its validity.
fn expected(blob: &[u8], rows: usize) -> std::result::Result<(Vec<u8>, Option<Vec<u8>>), lerc::LercError> {
    let image = lerc::decode(blob)?;
    let (width, depth, bands) = (image.width as usize, image.depth as usize, image.bands as usize);
    let (pixels, all) = (width * rows, width * image.height as usize);
    let element = image.data_type.size();
    let nothing = match image.data_type {
        Type::Float => f32::NAN.to_ne_bytes().to_vec(),
        Type::Double => f64::NAN.to_ne_bytes().to_vec(),
        _ => vec![0; element],
    };
    let stored = bytes(&image.data);
    let (mut out, mut validity) = (Vec::new(), Vec::new());
    for k in 0..pixels {
        for band in 0..bands {
            let valid = image.valid_masks[band].is_valid(k);
            for d in 0..depth {
                let at = ((band * all + k) * depth + d) * element;
                out.extend_from_slice(if valid { &stored[at..at + element] } else { &nothing });
                validity.push(u8::from(valid));
            }
        }
    }
    Ok((out, image.valid_masks.iter().any(|m| !m.is_all_valid()).then_some(validity)))
}

fn decode(blob: &[u8], data_type: &DataType, shape: [usize; 3]) -> Result<(Vec<u8>, Option<Vec<u8>>)> {
    let limits = Limits { max_chunk_bytes: 1 << 20, ..Limits::default() };
    let stored = shape.map(|n| n as u64);
    let chunk = ChunkContext::new(&stored, data_type, &limits);
    let mut scratch = Scratch::default();
    let mut out = vec![0xa5; shape.iter().product::<usize>() * data_type.size().unwrap()];
    Lerc { samples: shape[2] }.decode(blob, &chunk, &mut scratch, &mut Output::Exact(&mut out))?;
    Ok((out, scratch.validity))
}

/// Blobs of all types, sizes, depths, bands, masks and errors: what they are, the type, the size, the bytes.
fn blobs() -> Vec<(String, DataType, [usize; 3], Vec<u8>)> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut list = Vec::new();
    let kinds = [Type::Char, Type::Byte, Type::Short, Type::UShort, Type::Int, Type::UInt, Type::Float, Type::Double];
    for kind in kinds {
        for (width, height) in [(1, 1), (5, 7), (17, 9), (35, 24)] {
            for (depth, bands) in [(1, 1), (2, 1), (3, 1), (1, 3)] {
                for look in LOOKS {
                    let errors: &[f64] = if kind.is_integer() { &[0.5, 1.0, 3.0] } else { &[0.0, 0.01, 0.25, 7.0] };
                    let (error, wide) = (errors[dice.below(errors.len())], dice.below(2) == 0);
                    let which = dice.below(6).saturating_sub(2);
                    let v: Vec<f64> = (0..bands).flat_map(|_| values(look, width, height, depth, &mut dice)).collect();
                    let image = Image {
                        width: width as u32,
                        height: height as u32,
                        depth: depth as u32,
                        bands: bands as u32,
                        data_type: kind,
                        valid_masks: (0..bands).map(|_| mask(which, width * height, width, &mut dice)).collect(),
                        data: data(kind, &v, wide),
                        no_data_value: None,
                    };
                    let blob = lerc::encode(&image, Precision::Tolerance(error)).unwrap();
                    let name = format!("{kind:?} {width}x{height}x{depth}, {bands} bands, {look:?}, error {error}, wide {wide}, mask {which}");
                    list.push((name, data_type(kind), [height, width, depth * bands], blob));
                }
            }
        }
    }
    list
}

/// The same blocks in a blob of version 4, of one of version 3: a depth in the header, and the bounds of the values behind the mask.
fn as_version_4(blob: &[u8], data_type: &DataType) -> Option<Vec<u8>> {
    let header = Header::read(blob).unwrap();
    if header.version != 3 || header.length != blob.len() {
        return None;
    }
    let mask = header.bytes + 4 + u32::from_le_bytes(blob[header.bytes..][..4].try_into().unwrap()) as usize;
    let element = data_type.size().unwrap();
    let bounds = [header.least, header.most].map(|v| match data_type {
        DataType::F32 => (v as f32).to_le_bytes().to_vec(),
        DataType::F64 => v.to_le_bytes().to_vec(),
        _ => (v as i64).to_le_bytes()[..element].to_vec(),
    });
    let bounds = if header.valid > 0 && header.least < header.most { bounds.concat() } else { Vec::new() };
    let mut new = [&blob[..22], &1u32.to_le_bytes(), &blob[22..mask], &bounds, &blob[mask..]].concat();
    new[6] = 4;
    let length = new.len() as u32;
    new[34..38].copy_from_slice(&length.to_le_bytes());
    sum(&mut new);
    Some(new)
}

/// Sets the checksum of a first band right.
fn sum(blob: &mut [u8]) {
    let at = if blob.get(6).is_some_and(|version| *version > 3) { 34 } else { 30 };
    let Some(length) = blob.get(at..at + 4).map(|b| u32::from_le_bytes(b.try_into().unwrap()) as usize) else { return };
    if let Some(summed) = blob.get(14..length) {
        let sum = lerc::checksum::fletcher32(summed);
        blob[10..14].copy_from_slice(&sum.to_le_bytes());
    }
}

#[test]
fn as_the_library_has_it() {
    let (mut here, mut all, mut versions) = (0, 0, std::collections::BTreeSet::new());
    for (name, data_type, shape, blob) in blobs() {
        let wanted = expected(&blob, shape[0]).unwrap();
        assert!(decode(&blob, &data_type, shape).unwrap() == wanted, "{name}");
        if let Some(new) = as_version_4(&blob, &data_type) {
            let wanted = expected(&new, shape[0]).unwrap();
            assert!(decode(&new, &data_type, shape).unwrap() == wanted, "{name}, version 4");
            versions.insert(4);
        }
        // With the mask as one more sample.
        let (element, samples) = (data_type.size().unwrap(), shape[2]);
        let (mut values, mut valid) = (Vec::new(), Vec::new());
        let validity = wanted.1.clone().unwrap_or_else(|| vec![1; wanted.0.len() / element]);
        for (pixel, lost) in wanted.0.chunks(samples * element).zip(validity.chunks(samples)) {
            values.extend_from_slice(pixel);
            values.resize(values.len() + element, 0xff * lost[0]);
            valid.extend_from_slice(lost);
            valid.push(lost[0]);
        }
        let alpha = decode(&blob, &data_type, [shape[0], shape[1], samples + 1]).unwrap();
        assert!(alpha == (values, wanted.1.map(|_| valid)), "{name}, with alpha");
        // A chunk of fewer rows, as the last of a file.
        let fewer = [shape[0].div_ceil(2), shape[1], shape[2]];
        assert_eq!(decode(&blob, &data_type, fewer).unwrap().0, expected(&blob, fewer[0]).unwrap().0, "{name}, cut");
        let mut target = vec![0; shape.iter().product::<usize>() * data_type.size().unwrap()];
        let first = Header::read(&blob).unwrap();
        let size = Shape { width: first.width, height: first.height, depth: first.depth, bands: first.bands(&blob).unwrap() };
        let pixel = shape[2] * data_type.size().unwrap();
        versions.insert(first.version);
        here += usize::from(bands(&blob, &first, &size, &data_type, shape[0], pixel, &mut target).unwrap().is_some());
        all += 1;
    }
    assert!(versions.into_iter().eq(3..=6));
    // What is left to the library is lossless floats.
    assert!(here * 10 > all * 8, "{here} of {all} here");
}

#[test]
fn damage_is_an_error_and_no_more() {
    let (mut dice, blobs) = (Dice(0x0123_4567_89ab_cdef), blobs());
    let (mut decoded, mut refused, mut differ) = (0, 0, 0);
    for k in 0..20_000 {
        let (name, data_type, shape, blob) = &blobs[dice.below(blobs.len())];
        let mut blob = blob.clone();
        for _ in 0..1 + dice.below(3) {
            // Half of them in the header and what follows it, where the sizes are.
            let at = dice.below(if k % 2 == 0 { blob.len() } else { blob.len().min(140) });
            match dice.below(4) {
                0 => blob[at] = dice.next() as u8,
                1 => blob[at] ^= 1 << dice.below(8),
                2 => blob[at] = if dice.below(2) == 0 { 0 } else { 0xff },
                _ => blob.truncate(at.max(1)),
            }
        }
        // A wrong sum would hide the rest.
        if k % 16 != 0 {
            sum(&mut blob);
        }
        match decode(&blob, data_type, *shape) {
            Ok(here) => {
                assert_eq!(here.0.len(), shape.iter().product::<usize>() * data_type.size().unwrap(), "{name}");
                decoded += 1;
                differ += usize::from(expected(&blob, shape[0]).is_ok_and(|there| there != here));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(decoded > 1000 && refused > 1000, "{decoded} decoded, {refused} refused, {differ} differ");
    eprintln!("{decoded} decoded, {refused} refused, {differ} differ");
}
