//! Consolidated metadata of many arrays: groups of 100, each array with attributes as model output has them.

use std::fmt::Write as _;

/// Bytes of an array's documents, about.
pub(crate) const BYTES_EACH: usize = 600;

/// The path of an array.
pub(crate) fn path(n: usize) -> String {
    format!("group{:06}/variable{:02}", n / 100, n % 100)
}

fn attributes(n: usize) -> String {
    format!(
        r#""long_name":"Quantity {n} of the atmosphere [K], at \"surface\"","standard_name":"air_temperature","units":"K","cell_methods":"time: mean","coordinates":"lat lon height","missing_value":1e+20,"_FillValue":NaN,"history":"2020-01-01T00:00:00Z altered by a program with {{braces}}""#
    )
}

/// A `.zmetadata`.
pub(crate) fn v2(arrays: usize) -> Vec<u8> {
    let mut out = String::with_capacity(arrays * BYTES_EACH);
    out.push_str("{\"metadata\":{\".zgroup\":{\"zarr_format\":2}");
    for n in 0..arrays {
        let (path, attributes) = (path(n), attributes(n));
        if n % 100 == 0 {
            write!(out, r#","group{:06}/.zgroup":{{"zarr_format":2}}"#, n / 100).unwrap();
        }
        write!(
            out,
            r#","{path}/.zarray":{{"chunks":[1,{},720],"compressor":{{"blocksize":0,"clevel":5,"cname":"lz4","id":"blosc","shuffle":1}},"dtype":"<f4","fill_value":"NaN","filters":null,"order":"C","shape":[{},360,720],"zarr_format":2}}"#,
            1 + n % 360,
            n + 1
        )
        .unwrap();
        write!(out, r#","{path}/.zattrs":{{"_ARRAY_DIMENSIONS":["time","lat","lon"],{attributes}}}"#).unwrap();
    }
    out.push_str("},\"zarr_consolidated_format\":1}");
    out.into_bytes()
}

/// A `zarr.json` with inline consolidated metadata.
pub(crate) fn v3(arrays: usize) -> Vec<u8> {
    let mut out = String::with_capacity(arrays * BYTES_EACH);
    out.push_str(
        r#"{"zarr_format":3,"node_type":"group","attributes":{},"consolidated_metadata":{"kind":"inline","must_understand":false,"metadata":{"#,
    );
    for n in 0..arrays {
        // JSON proper: version 3 writes no bare NaN.
        let (path, attributes) = (path(n), attributes(n).replace("NaN", "\"NaN\""));
        let comma = if n == 0 { "" } else { "," };
        write!(
            out,
            r#"{comma}"{path}":{{"shape":[{},360,720],"data_type":"float32","chunk_grid":{{"name":"regular","configuration":{{"chunk_shape":[1,{},720]}}}},"chunk_key_encoding":{{"name":"default","configuration":{{"separator":"/"}}}},"fill_value":"NaN","codecs":[{{"name":"bytes","configuration":{{"endian":"little"}}}},{{"name":"zstd","configuration":{{"level":3,"checksum":false}}}}],"attributes":{{{attributes}}},"dimension_names":["time","lat","lon"],"zarr_format":3,"node_type":"array","storage_transformers":[]}}"#,
            n + 1,
            1 + n % 360
        )
        .unwrap();
    }
    out.push_str("}}}");
    out.into_bytes()
}
