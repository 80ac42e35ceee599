//! Documents with bytes changed at random, through the entries of the fuzz targets.

use super::fuzzing;

type Target = fn(&[u8]);

const SEEDS: [(Target, &str); 6] = [
    (
        fuzzing::v2,
        r#"{"zarr_format":2,"shape":[5,3],"chunks":[2,2],"dtype":[["a",">i2"],["b","<U3",[2]]],"compressor":{"id":"blosc"},"fill_value":"AAAA","order":"F","filters":[{"id":"delta","dtype":"<i2"}],"dimension_separator":"/"}"#,
    ),
    (
        fuzzing::v2,
        r#"{"zarr_format":2,"shape":[5,3],"chunks":[2,2],"dtype":"<M8[10us]","compressor":null,"fill_value":"NaT","order":"C","filters":[{"id":"fixedscaleoffset","dtype":"<f8","astype":"<i2","scale":1,"offset":2},{"id":"shuffle","elementsize":2}]}"#,
    ),
    (
        fuzzing::v3,
        r#"{"zarr_format":3,"node_type":"array","shape":[8,6],"data_type":"float32","fill_value":"0x7fc00000","chunk_grid":{"name":"rectilinear","configuration":{"kind":"inline","chunk_shapes":[4,[[2,3],1]]}},"chunk_key_encoding":{"name":"default","configuration":{"separator":"."}},"codecs":[{"name":"transpose","configuration":{"order":[1,0]}},{"name":"bytes","configuration":{"endian":"big"}},"gzip"]}"#,
    ),
    (
        fuzzing::v3,
        r#"{"zarr_format":3,"node_type":"array","shape":[8,6],"data_type":{"name":"struct","configuration":{"fields":[["a","int16"],["b","r24"]]}},"fill_value":{"a":1,"b":[1,2,3]},"chunk_grid":{"name":"regular","configuration":{"chunk_shape":[4,6]}},"chunk_key_encoding":"default","codecs":[{"name":"sharding_indexed","configuration":{"chunk_shape":[2,3],"codecs":[{"name":"sharding_indexed","configuration":{"chunk_shape":[1,3],"codecs":["bytes"],"index_codecs":["bytes"]}}],"index_codecs":["bytes","crc32c"],"index_location":"start"}},"crc32c"]}"#,
    ),
    (
        fuzzing::consolidated,
        r#"{"zarr_consolidated_format":1,"metadata":{".zgroup":{"zarr_format":2},"a/.zarray":{"zarr_format":2,"shape":[],"chunks":[],"dtype":"|O","compressor":null,"fill_value":0,"order":"C","filters":[{"id":"vlen-utf8"}]},"a/.zattrs":{"x":NaN}}}"#,
    ),
    (fuzzing::references, r#"{"version":1,"templates":{"u":"b"},"refs":{".zgroup":"{}","a/0":["{{u}}/c",1,2],"a/1":"base64:AAAA","a/2":["d"]}}"#),
];

/// Numbers that break things.
const PIECES: [&str; 12] = ["-1", "0", "18446744073709551615", "4611686018427387904", "1e400", "\"", "[", "{", "null", "[[", "../", "\\u0000"];

#[test]
fn changed_documents_end_in_an_answer() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for (target, seed) in SEEDS {
        target(seed.as_bytes());
        for _ in 0..3000 {
            let mut bytes = seed.as_bytes().to_vec();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                    1 => drop(bytes.drain(at..(at + random(9)).min(bytes.len()))),
                    2 => drop(bytes.splice(at..at, PIECES[random(PIECES.len())].bytes())),
                    _ => {
                        // A number becomes another.
                        let from = bytes[at..].iter().position(u8::is_ascii_digit).map_or(at, |n| at + n);
                        let to = bytes[from..].iter().position(|b| !b.is_ascii_digit()).map_or(from, |n| from + n);
                        drop(bytes.splice(from..to, PIECES[random(5)].bytes()));
                    }
                }
                if bytes.is_empty() {
                    break;
                }
            }
            target(&bytes);
        }
    }
    for length in 0..200 {
        let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(random(256)).unwrap()).collect();
        fuzzing::shard_index(&bytes);
        fuzzing::archive(&bytes);
    }
}
