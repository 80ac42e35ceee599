//! The two LZ4 decoders against each other.

#[test]
fn both_decoders_of_lz4_give_the_same() {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % n
    };
    for _ in 0..3000 {
        let length = random(2000);
        let mut data: Vec<u8> = Vec::new();
        while data.len() < length {
            match random(2) {
                0 => data.extend((0..1 + random(40)).map(|_| random(256) as u8)),
                _ => data.extend_from_within(random(data.len() + 1)..),
            }
        }
        let mut stream = lz4_flex::block::compress(&data);
        for _ in 0..random(4) {
            let at = random(stream.len());
            stream[at] = [0, 0xff, random(256) as u8][random(3)];
        }
        stream.truncate(stream.len() - random(2));
        let room = data.len() + random(3) - random(3).min(data.len());
        let (mut ours, mut pure) = (vec![0x55; room], vec![0xaa; room]);
        let done = crate::codec::lz4::block(&stream, &mut ours);
        let told = lz4_flex::block::decompress_into(&stream, &mut pure);
        match (done, told) {
            (Ok(()), Ok(given)) => assert!(given == room && ours == pure),
            // The reference takes a match no bytes back for zeros, the pure one for damage.
            (Ok(()), Err(lz4_flex::block::DecompressError::OffsetZero)) if cfg!(feature = "lz4") => {}
            (Err(_), told) => assert!(!matches!(told, Ok(given) if given == room)),
            (done, told) => panic!("{done:?}, where the pure decoder gives {told:?}"),
        }
    }
}
