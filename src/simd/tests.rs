//! Each level against the plain loops, for all short lengths, and at all places of a line.

use super::{Level, copy_streaming, reverse_bits, shuffle, streaming_fence};

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Lengths and places that are tried: every length at two places, a few lengths at every place.
fn cases() -> impl Iterator<Item = (usize, usize)> {
    let lengths = (0..=257).flat_map(|length| [(length, 0), (length, 13)]);
    let places = (0..=33).flat_map(|place| [16, 63, 64, 96, 255, 1000].map(|length| (length, place)));
    lengths.chain(places)
}

/// Runs a kernel of two slices at each level, from and to slices that begin at many places. What is outside of the target must stay.
fn twins(name: &str, target_length: impl Fn(usize) -> usize, kernel: impl Fn(Level, &[u8], &mut [u8])) {
    let plain = noise(2048);
    for (length, place) in cases() {
        let target_length = target_length(length);
        let run = |level| {
            let mut target = noise(target_length + 96);
            kernel(level, &plain[place..][..length], &mut target[33 - place..][..target_length]);
            target
        };
        let is = run(Level::PLAIN);
        let around = noise(target_length + 96);
        let (start, end) = (33 - place, 33 - place + target_length);
        assert!(is[..start] == around[..start] && is[end..] == around[end..], "{name} wrote outside, length {length} at {place}");
        for level in Level::all() {
            assert!(run(level) == is, "{name} at {level:?}, length {length} at {place}");
        }
    }
}

/// The same for a kernel that works in place.
fn twins_in_place(name: &str, kernel: impl Fn(Level, &mut [u8])) {
    twins(
        name,
        |length| length,
        |level, source, target| {
            target.copy_from_slice(source);
            kernel(level, target);
        },
    );
}

const STRIDES: [usize; 17] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15, 16, 17, 31, 33, 70];

#[test]
fn predictor() {
    for bytes in [1, 2, 4, 8] {
        for stride in STRIDES {
            twins_in_place(&format!("undo_predictor of {bytes} bytes, stride {stride}"), |level, row| {
                assert!(level.undo_predictor(row, bytes, stride))
            });
            for swap in [false, true] {
                let name = format!("undo_predictor_to of {bytes} bytes, stride {stride}, swap {swap}");
                twins(&name, |n| n, |level, source, target| assert!(level.undo_predictor_to(source, bytes, stride, swap, target)));
            }
        }
    }
    for level in Level::all() {
        assert!(!level.undo_predictor(&mut [0; 3], 3, 1) && !level.undo_predictor(&mut [0; 4], 4, 0) && !level.undo_predictor(&mut [0; 4], 1, 0));
        assert!(!level.undo_predictor_to(&[0; 3], 3, 1, false, &mut [0; 3]) && !level.undo_predictor_to(&[0; 4], 4, 0, true, &mut [0; 4]));
        let mut row = [1, 2, 3];
        assert!(level.undo_predictor(&mut row, 1, usize::MAX) && row == [1, 2, 3]);
    }
}

#[test]
fn float_predictor() {
    for bytes in [1, 2, 3, 4, 8, 16] {
        for stride in STRIDES {
            let whole = |n: usize| n / bytes * bytes;
            twins(&format!("undo_float_predictor of {bytes} bytes, stride {stride}"), whole, |level, source, target| {
                let mut planes = source[..target.len()].to_vec();
                level.undo_float_predictor(&mut planes, bytes, stride, target);
                let (mut sums, mut again) = (vec![0; target.len()], vec![0; target.len()]);
                level.undo_float_predictor_to(&source[..target.len()], bytes, stride, &mut sums, &mut again);
                assert!(target == again);
            });
        }
    }
}

#[test]
fn shuffles() {
    for element in [0, 1, 2, 3, 4, 5, 8, 12, 16, 300] {
        twins(&format!("unshuffle of {element}"), |n| n, |level, source, target| level.unshuffle(source, element, target));
        twins(&format!("bit_unshuffle of {element}"), |n| n, |level, source, target| level.bit_unshuffle(source, element, target));
        if element == 0 {
            continue;
        }
        for (swap, from, to) in [(false, 0, 1), (true, 0, 1), (true, 1, 2), (false, 2, 3)] {
            let part = |n: usize| (n / element * to / 3) - (n / element * from / 3);
            let name = format!("unshuffle_part of {element}, swap {swap}");
            twins(
                &name,
                |n| part(n) * element,
                |level, source, target| {
                    level.unshuffle_part(source, element, source.len() / element * from / 3, swap, target);
                },
            );
        }
    }
}

#[test]
fn byte_order() {
    for unit in [0, 1, 2, 3, 4, 8, 16] {
        twins_in_place(&format!("swap_bytes of {unit}"), |level, data| level.swap_bytes(data, unit));
        twins(&format!("swap_bytes_to of {unit}"), |n| n, |level, source, target| level.swap_bytes_to(source, unit, target));
    }
}

#[test]
fn bit_fields() {
    for bits in 1..=16 {
        let bytes = if bits <= 8 { 1 } else { 2 };
        for more in [0, 1, 5] {
            let length = |n: usize| (n * 8 / bits as usize + more) * bytes;
            twins(&format!("unpack_bits of {bits}"), length, |level, source, target| level.unpack_bits(source, bits, target));
        }
    }
}

#[test]
fn bands() {
    for element in [1, 2, 3, 4, 8] {
        for samples in [1, 2, 3, 4, 5] {
            let band = |n: usize| n / (element * samples) * element;
            for sample in 0..samples {
                let name = format!("deinterleave {sample} of {samples} of {element}");
                twins(&name, band, |level, source, target| level.deinterleave(source, element, samples, sample, target));
            }
            twins(
                &format!("deinterleave_all {samples} of {element}"),
                |n| band(n) * samples,
                |level, source, target| {
                    let band = band(source.len());
                    let mut targets: Vec<&mut [u8]> = target.chunks_mut(band.max(1)).collect();
                    targets.resize_with(samples, Default::default);
                    level.deinterleave_all(source, element, &mut targets);
                },
            );
        }
    }
}

#[test]
fn fills() {
    for element in [0, 1, 2, 3, 4, 8, 16, 40] {
        twins(&format!("fill of {element}"), |n| n, |_, source, target| super::fill(target, &source[..element.min(source.len())]));
    }
    let mut target = [0; 7];
    super::fill(&mut target, &[1, 2]);
    assert_eq!(target, [1, 2, 1, 2, 1, 2, 1]);
    for element in [1, 2, 3, 4, 8, 16, 700, 3000] {
        let (element, mut target) = (noise(element), vec![0; 5000]);
        super::fill(&mut target, &element);
        assert!(target.chunks(element.len()).all(|part| *part == element[..part.len()]));
    }
}

#[test]
fn streams() {
    twins(
        "copy_streaming",
        |n| n,
        |_, source, target| {
            copy_streaming(source, target);
            streaming_fence();
            assert!(source == target);
        },
    );
}

// What the plain loops do, by their definitions.

fn value(bytes: &[u8]) -> u64 {
    let mut wide = [0; 8];
    if cfg!(target_endian = "little") {
        wide[..bytes.len()].copy_from_slice(bytes)
    } else {
        wide[8 - bytes.len()..].copy_from_slice(bytes)
    }
    u64::from_ne_bytes(wide)
}

#[test]
fn sums_as_the_definition_says() {
    for bytes in [1usize, 2, 4, 8] {
        for stride in [1usize, 2, 3, 4, 5, 7] {
            for length in 0..=257usize {
                let stored = noise(length);
                let mut row = stored.clone();
                assert!(Level::PLAIN.undo_predictor(&mut row, bytes, stride));
                let mask = if bytes == 8 { u64::MAX } else { (1 << (bytes * 8)) - 1 };
                let (was, is): (Vec<_>, Vec<_>) = (stored.chunks_exact(bytes).map(value).collect(), row.chunks_exact(bytes).map(value).collect());
                for i in 0..is.len() {
                    let before = if i < stride { 0 } else { is[i - stride] };
                    assert_eq!(is[i], was[i].wrapping_add(before) & mask, "{bytes} bytes, stride {stride}, length {length}, at {i}");
                }
                let mut swapped = stored.clone();
                Level::PLAIN.swap_bytes(&mut swapped, bytes);
                let mut again = vec![0; length];
                assert!(Level::PLAIN.undo_predictor_to(&swapped, bytes, stride, true, &mut again));
                assert_eq!(again, row, "{bytes} bytes, stride {stride}, length {length}");
            }
        }
    }
}

#[test]
fn float_rows_come_back() {
    for bytes in [2usize, 3, 4, 8, 16] {
        for stride in [1usize, 3] {
            for count in 0..=64usize {
                let plain = noise(count * bytes);
                let mut stored = vec![0u8; plain.len()];
                for k in 0..count {
                    for i in 0..bytes {
                        let significance = if cfg!(target_endian = "little") { bytes - 1 - i } else { i };
                        stored[significance * count + k] = plain[k * bytes + i];
                    }
                }
                for i in (stride..stored.len()).rev() {
                    stored[i] = stored[i].wrapping_sub(stored[i - stride]);
                }
                let mut row = vec![0; plain.len()];
                Level::PLAIN.undo_float_predictor(&mut stored, bytes, stride, &mut row);
                assert_eq!(row, plain, "{bytes} bytes, stride {stride}, {count} samples");
            }
        }
    }
}

#[test]
fn shuffled_and_back() {
    for element in [1usize, 2, 3, 4, 5, 8, 12, 16, 300] {
        for length in 0..=257usize {
            let plain = noise(length);
            let count = length / element;
            let mut shuffled = plain.clone();
            for i in 0..element {
                for k in 0..count {
                    shuffled[i * count + k] = plain[k * element + i];
                }
            }
            let mut made = vec![0; length];
            shuffle(&plain, element, &mut made);
            assert_eq!(made, shuffled, "element {element} length {length}");
            let mut back = vec![0; length];
            Level::PLAIN.unshuffle(&shuffled, element, &mut back);
            assert_eq!(back, plain, "element {element} length {length}");
            let (first, last) = (count / 3, count - count / 4);
            let mut part = vec![0; (last - first) * element];
            Level::PLAIN.unshuffle_part(&shuffled, element, first, true, &mut part);
            part.chunks_exact_mut(element).for_each(<[u8]>::reverse);
            assert_eq!(part, plain[first * element..last * element], "element {element} length {length}");
        }
    }
}

#[test]
fn bits_as_the_definition_says() {
    for element in [1usize, 2, 4, 5, 8] {
        for count in [0usize, 1, 7, 8, 16, 64, 520, 1032] {
            let stored = noise(count * element);
            let mut plain = vec![0; stored.len()];
            Level::PLAIN.bit_unshuffle(&stored, element, &mut plain);
            if count % 8 != 0 {
                assert_eq!(plain, stored);
                continue;
            }
            for (i, byte) in plain.iter().enumerate() {
                let (at, of) = (i / element, i % element);
                let bit = |k: usize| stored[(of * 8 + k) * (count / 8) + at / 8] >> (at % 8) & 1;
                assert_eq!(*byte, (0..8).map(|k| bit(k) << k).sum::<u8>(), "element {element} count {count} at {i}");
            }
        }
    }
    for bits in 1..=16_usize {
        let source = noise(97);
        let bit = |at: usize| source.get(at / 8).map_or(0, |byte| u64::from(byte >> (7 - at % 8) & 1));
        let bytes = bits.div_ceil(8);
        let mut fields = vec![0; (97 * 8 / bits + 9) * bytes];
        Level::PLAIN.unpack_bits(&source, bits as u32, &mut fields);
        for (i, field) in fields.chunks_exact(bytes).enumerate() {
            assert_eq!(value(field), (0..bits).fold(0, |n, k| n << 1 | bit(i * bits + k)), "{bits} bits at {i}");
        }
    }
}

#[test]
fn bytes_and_bits_reversed() {
    for unit in [1, 2, 3, 4, 8, 16] {
        for length in 0..=257usize {
            let data = noise(length);
            let mut swapped = data.clone();
            Level::PLAIN.swap_bytes(&mut swapped, unit);
            let whole = length / unit * unit;
            for (i, byte) in swapped.iter().enumerate() {
                let from = if i < whole { i / unit * unit + (unit - 1 - i % unit) } else { i };
                assert_eq!(*byte, data[from], "unit {unit} length {length} at {i}");
            }
        }
    }
    let mut bytes = [1, 0b0110_0101];
    reverse_bits(&mut bytes);
    assert_eq!(bytes, [128, 0b1010_0110]);
}

#[test]
fn bands_are_every_other_sample() {
    let pixels = noise(240);
    for (element, samples) in [(1, 3), (2, 2), (4, 4), (3, 5)] {
        for sample in 0..samples {
            let mut band = vec![0; pixels.len() / samples];
            Level::PLAIN.deinterleave(&pixels, element, samples, sample, &mut band);
            let of: Vec<u8> = pixels.chunks_exact(element * samples).flat_map(|pixel| pixel[sample * element..][..element].to_vec()).collect();
            assert_eq!(band, of);
        }
    }
}
