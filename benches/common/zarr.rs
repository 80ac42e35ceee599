//! A writer of Zarr groups of one square array `data`: v2 and v3 with consolidated metadata, and v3 in shards.

use super::zstd;

/// How chunks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Zstd,
    /// Blosc 1, bytes shuffled, Zstandard inside.
    BloscZstd,
}

/// A square array, and how it is to be written.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    /// Little-endian elements, row by row.
    pub(crate) elements: Vec<u8>,
    /// Elements of a side.
    pub(crate) size: usize,
    /// Elements of a side of a chunk; divides `size`.
    pub(crate) chunk: usize,
    /// Bytes of an element: 2 is `u16`, 4 is `f32`.
    pub(crate) element: usize,
    pub(crate) packing: Packing,
}

/// Objects by their keys.
pub(crate) type Objects = Vec<(String, Vec<u8>)>;

impl Array {
    fn data_type(&self) -> (&'static str, &'static str) {
        if self.element == 4 { ("<f4", "float32") } else { ("<u2", "uint16") }
    }

    fn chunk(&self, row: usize, column: usize) -> Vec<u8> {
        let (chunk, element) = (self.chunk, self.element);
        let line = |y: usize| {
            let from = ((row * chunk + y) * self.size + column * chunk) * element;
            &self.elements[from..from + chunk * element]
        };
        let bytes: Vec<u8> = (0..chunk).flat_map(line).copied().collect();
        match self.packing {
            Packing::None => bytes,
            Packing::Zstd => zstd(&bytes, 3),
            Packing::BloscZstd => blosc(&bytes, element),
        }
    }

    /// The Zstandard stream of each chunk (which is one block of Blosc).
    pub(crate) fn streams(&self) -> Vec<Vec<u8>> {
        let header = if self.packing == Packing::BloscZstd { HEADER + 4 + 4 } else { 0 };
        self.chunks(|_, _| String::new()).into_iter().map(|(_, chunk)| chunk[header..].to_vec()).collect()
    }

    fn chunks(&self, name: impl Fn(usize, usize) -> String) -> Objects {
        let across = self.size / self.chunk;
        (0..across * across).map(|n| (name(n / across, n % across), self.chunk(n / across, n % across))).collect()
    }

    /// A v2 group with `.zmetadata`.
    pub(crate) fn write_v2(&self) -> Objects {
        let compressor = match self.packing {
            Packing::None => serde_json::Value::Null,
            Packing::Zstd => serde_json::json!({"id": "zstd", "level": 3}),
            Packing::BloscZstd => serde_json::json!({"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 1, "blocksize": 0}),
        };
        let array = serde_json::json!({
            "zarr_format": 2, "shape": [self.size, self.size], "chunks": [self.chunk, self.chunk], "dtype": self.data_type().0,
            "compressor": compressor, "fill_value": 0, "order": "C", "filters": null,
        });
        let group = serde_json::json!({"zarr_format": 2});
        let attributes = serde_json::json!({"_ARRAY_DIMENSIONS": ["y", "x"]});
        let members = serde_json::json!({".zgroup": group, "data/.zarray": array, "data/.zattrs": attributes});
        let consolidated = serde_json::json!({"zarr_consolidated_format": 1, "metadata": members});
        let mut objects = self.chunks(|row, column| format!("data/{row}.{column}"));
        for (key, document) in [(".zmetadata", consolidated), (".zgroup", group), ("data/.zarray", array), ("data/.zattrs", attributes)] {
            objects.push((key.to_owned(), document.to_string().into_bytes()));
        }
        objects
    }

    fn codecs(&self) -> serde_json::Value {
        let bytes = serde_json::json!({"name": "bytes", "configuration": {"endian": "little"}});
        match self.packing {
            Packing::None => serde_json::json!([bytes]),
            Packing::Zstd => serde_json::json!([bytes, {"name": "zstd", "configuration": {"level": 3, "checksum": false}}]),
            Packing::BloscZstd => {
                let configuration = serde_json::json!({"cname": "zstd", "clevel": 3, "shuffle": "shuffle", "typesize": self.element, "blocksize": 0});
                serde_json::json!([bytes, {"name": "blosc", "configuration": configuration}])
            }
        }
    }

    fn documents_v3(&self, chunk: usize, codecs: &serde_json::Value) -> Objects {
        let array = serde_json::json!({
            "zarr_format": 3, "node_type": "array", "shape": [self.size, self.size], "data_type": self.data_type().1,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [chunk, chunk]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0, "codecs": codecs, "attributes": {}, "dimension_names": ["y", "x"], "storage_transformers": [],
        });
        let consolidated = serde_json::json!({"kind": "inline", "must_understand": false, "metadata": {"data": array}});
        let group = serde_json::json!({"zarr_format": 3, "node_type": "group", "attributes": {}, "consolidated_metadata": consolidated});
        [("zarr.json", group), ("data/zarr.json", array)].map(|(key, document)| (key.to_owned(), document.to_string().into_bytes())).to_vec()
    }

    /// A v3 group with inline consolidated metadata.
    pub(crate) fn write_v3(&self) -> Objects {
        let mut objects = self.chunks(|row, column| format!("data/c/{row}/{column}"));
        objects.extend(self.documents_v3(self.chunk, &self.codecs()));
        objects
    }

    /// The same in shards of `side` x `side` chunks, the index at the end, with its CRC-32C.
    pub(crate) fn write_v3_sharded(&self, side: usize) -> Objects {
        let mut objects = Vec::new();
        let shards = self.size / self.chunk / side;
        for shard in 0..shards * shards {
            let (row, column) = (shard / shards * side, shard % shards * side);
            let (mut bytes, mut index) = (Vec::new(), Vec::new());
            for inner in 0..side * side {
                let chunk = self.chunk(row + inner / side, column + inner % side);
                index.extend((bytes.len() as u64).to_le_bytes());
                index.extend((chunk.len() as u64).to_le_bytes());
                bytes.extend(chunk);
            }
            let checksum = crc32c::crc32c(&index).to_le_bytes();
            bytes.extend(index);
            bytes.extend(checksum);
            objects.push((format!("data/c/{}/{}", shard / shards, shard % shards), bytes));
        }
        let configuration = serde_json::json!({
            "chunk_shape": [self.chunk, self.chunk], "codecs": self.codecs(), "index_location": "end",
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        });
        let codecs = serde_json::json!([{"name": "sharding_indexed", "configuration": configuration}]);
        objects.extend(self.documents_v3(self.chunk * side, &codecs));
        objects
    }
}

/// Writes objects as files.
pub(crate) fn to_folder(objects: &Objects, folder: &std::path::Path) {
    for (key, bytes) in objects {
        let path = folder.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Bytes before the table of blocks in a Blosc 1 container.
const HEADER: usize = 16;

/// A Blosc 1 container of one stream a block, blocks of up to 256 KiB.
#[allow(clippy::cast_possible_truncation, reason = "chunks are far below 4 GiB")]
fn blosc(bytes: &[u8], element: usize) -> Vec<u8> {
    const BLOCK: usize = 256 << 10;
    const SHUFFLE: u8 = 1;
    const NOT_SPLIT: u8 = 0x10;
    const ZSTD: u8 = 4 << 5;
    let block = BLOCK.min(bytes.len());
    let blocks: Vec<Vec<u8>> = bytes.chunks(block).map(|b| zstd(&shuffled(b, element), 3)).collect();
    let mut starts = Vec::new();
    let mut streams = Vec::new();
    for stream in &blocks {
        starts.extend(((HEADER + blocks.len() * 4 + streams.len()) as u32).to_le_bytes());
        streams.extend((stream.len() as u32).to_le_bytes());
        streams.extend(stream);
    }
    let mut out = vec![2, 1, SHUFFLE | NOT_SPLIT | ZSTD, element as u8];
    for number in [bytes.len(), block, HEADER + starts.len() + streams.len()] {
        out.extend((number as u32).to_le_bytes());
    }
    out.extend(starts);
    out.extend(streams);
    out
}

fn shuffled(bytes: &[u8], element: usize) -> Vec<u8> {
    let count = bytes.len() / element;
    (0..bytes.len()).map(|i| bytes[i % count * element + i / count]).collect()
}
