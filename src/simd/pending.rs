pub fn swap_bytes_to(source: &[u8], unit: usize, target: &mut [u8]) {
    target.copy_from_slice(source);
    super::swap_bytes(target, unit);
}
pub fn undo_predictor_to(source: &[u8], sample: usize, stride: usize, swap: bool, target: &mut [u8]) -> bool {
    target.copy_from_slice(source);
    if swap {
        super::swap_bytes(target, sample);
    }
    super::undo_predictor(target, sample, stride)
}
pub fn undo_float_predictor_to(planes: &[u8], sample: usize, stride: usize, sums: &mut [u8], target: &mut [u8]) {
    sums.copy_from_slice(planes);
    super::undo_float_predictor(sums, sample, stride, target);
}
pub fn unshuffle_part(source: &[u8], element: usize, first: usize, swap: bool, target: &mut [u8]) {
    let count = source.len() / element;
    for (k, e) in target.chunks_exact_mut(element).enumerate() {
        for (i, b) in e.iter_mut().enumerate() {
            let plane = if swap { element - 1 - i } else { i };
            *b = source[plane * count + first + k];
        }
    }
}
pub fn copy_streaming(source: &[u8], target: &mut [u8]) {
    target.copy_from_slice(source);
}
pub fn streaming_fence() {}
pub fn fill(target: &mut [u8], element: &[u8]) {
    for e in target.chunks_exact_mut(element.len()) {
        e.copy_from_slice(element);
    }
}
