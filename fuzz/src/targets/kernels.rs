//! One kernel, chosen by the first byte, at each level of the machine, on the rest: all give what the plain loop gives.

use swath::simd::{Level, copy_streaming, fill, streaming_fence};

pub(super) fn body(data: &[u8]) {
    let Some((&[which, size, more, place], data)) = data.split_first_chunk() else { return };
    // Slices of their own begin where an allocation does: this one begins anywhere.
    let data = data.get(usize::from(place % 40)..).unwrap_or_default();
    let (size, more, swap) = (usize::from(size), usize::from(more), place & 128 != 0);
    // Lengths that a kernel insists on.
    let whole = |unit: usize| data.len() / unit.max(1) * unit.max(1);
    let samples = more % 9 + 1;
    let element = size % 9 + 1;
    let band = whole(element * samples) / samples;
    let first = (data.len() / element) * (more % 4) / 4;
    let run = |level: Level| {
        let mut out = vec![0xaa; data.len()];
        match which % 13 {
            0 => {
                out.copy_from_slice(data);
                let done = level.undo_predictor(&mut out, element, more);
                out.push(done.into());
            }
            1 => {
                let done = level.undo_predictor_to(data, element, more, swap, &mut out);
                out.push(done.into());
            }
            2 => {
                let mut planes = data[..whole(element)].to_vec();
                level.undo_float_predictor(&mut planes, element, more, &mut out[..whole(element)]);
            }
            3 => {
                let mut sums = vec![0; whole(element)];
                level.undo_float_predictor_to(&data[..whole(element)], element, more, &mut sums, &mut out[..whole(element)]);
            }
            4 => level.unshuffle(data, size, &mut out),
            5 => {
                let length = whole(element) - first * element;
                level.unshuffle_part(data, element, first, swap, &mut out[..length]);
            }
            6 => level.bit_unshuffle(data, size % 17, &mut out),
            7 => {
                out.copy_from_slice(data);
                level.swap_bytes(&mut out, size % 17);
            }
            8 => level.swap_bytes_to(data, size % 17, &mut out),
            9 => {
                let bits = size % 16 + 1;
                out.resize((data.len() * 8 / bits + more) * 2, 0xaa);
                level.unpack_bits(data, u32::try_from(bits).unwrap_or(0), &mut out);
            }
            10 => level.deinterleave(data, element, samples, more % samples, &mut out[..band]),
            11 => {
                let mut targets: Vec<&mut [u8]> = out[..band * samples].chunks_mut(band.max(1)).collect();
                targets.resize_with(samples, Default::default);
                level.deinterleave_all(data, element, &mut targets);
            }
            _ => {
                fill(&mut out, &data[..size.min(data.len())]);
                let from = more.min(data.len());
                copy_streaming(&data[from..], &mut out[from..]);
                streaming_fence();
                assert!(out[from..] == data[from..]);
            }
        }
        out
    };
    let plain = run(Level::PLAIN);
    for level in Level::all() {
        assert!(run(level) == plain, "{level:?}");
    }
}
