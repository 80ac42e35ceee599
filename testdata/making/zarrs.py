"""The Zarr fixtures: zarr-python for v2 and v3, tensorstore for nested shards and an index at the start; the climate cube; a reference file."""

import base64
import gzip
import json
import shutil
import types
import warnings
import zipfile

import kerchunk.df
import numcodecs
import numpy as np
import tensorstore
import zarr
import zarr.storage._zip
from fsspec.implementations.reference import LazyReferenceMapper
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

from . import ground
from .canonical import canonical, record, texts

SHAPE, CHUNKS = (5, 11, 13), (3, 11, 7)  # two chunks on the first and the last axis, both cut at the edge
numcodecs.blosc.set_nthreads(1)
numcodecs.blosc.use_threads = False


def sample(dtype="float32"):
    """Smooth numbers with a little noise, over the range of the type."""
    rng = np.random.default_rng(3)
    z, y, x = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    unit = 0.5 + 0.3 * np.sin(z + y / 4) * np.cos(x / 5) + 0.05 * rng.random(SHAPE)
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return unit > 0.55
    if dtype.kind == "f":
        return (280 + 20 * unit).astype(dtype)
    if dtype.kind == "c":
        return (unit * 30 - 1j * unit * 7).astype(dtype)
    info = np.iinfo(dtype)
    low, high = max(info.min, -(2**40)), min(info.max, 2**40)
    return (np.floor(unit * 0.9 * (high - low)) + low).astype(dtype)


def climate(out):
    """The cube that README's first command reads: v2 with consolidated metadata, and the same in v3, sharded."""
    lat, lon = np.arange(89, -91, -2.0), np.arange(0, 360, 2.0) + 1
    months = np.round(ground.temperature(12, lat, lon) * 32) / 32
    rain = np.maximum(0, 90 + 3 * (months - 290) + 120 * (ground.fractal((90, 180), 8, 4, 60, wrap=True) - 0.5)).astype(np.float32)
    rain = np.round(rain * 2) / 2
    rain[:, ground.continents(lat, lon) < 0] = np.nan
    days = np.array([15, 45, 74, 105, 135, 166, 196, 227, 258, 288, 319, 349], np.int32)
    variables = {
        "lat": (lat, ("lat",), {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": (lon, ("lon",), {"units": "degrees_east", "standard_name": "longitude"}),
        "time": (days, ("time",), {"units": "days since 2020-01-01", "calendar": "noleap", "standard_name": "time"}),
        "t2m": (months, ("time", "lat", "lon"), {"units": "K", "long_name": "2 metre temperature"}),
        "rain": (rain, ("time", "lat", "lon"), {"units": "mm", "long_name": "rain in a month, over land"}),
    }
    for version, name in ((2, "climate.zarr"), (3, "climate_v3.zarr")):
        group = zarr.create_group(out / name, zarr_format=version, attributes={"title": "An invented climate", "Conventions": "CF-1.10"})
        for variable, (values, dims, attributes) in variables.items():
            cube = values.ndim == 3
            fill = np.nan if values.dtype.kind == "f" and cube else 0
            if version == 2:
                codec = numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE) if cube else None
                options = dict(chunks=(3, 45, 90) if cube else values.shape, compressors=codec, attributes={"_ARRAY_DIMENSIONS": list(dims), **attributes})
            else:
                shards = dict(chunks=(1, 45, 60), shards=(6, 90, 180)) if cube else dict(chunks=values.shape)
                options = dict(**shards, compressors=ZstdCodec(level=9), dimension_names=dims, attributes=attributes)
            array = group.create_array(variable, shape=values.shape, dtype=values.dtype, fill_value=fill, **options)
            array[...] = values
        zarr.consolidate_metadata(out / name, zarr_format=version)


def zarr_array(path, array, version, fill_value=0, chunks=CHUNKS, **options):
    made = zarr.create_array(path, shape=array.shape, dtype=array.dtype, chunks=chunks, zarr_format=version, fill_value=fill_value, **options)
    made[...] = array
    return made


def v2_fixtures(out):
    n, f32, i32 = numcodecs, sample(), sample("int32")
    put = lambda name, array, compressor=None, filters=None, **options: zarr_array(
        out / f"{name}.zarr", array, 2, compressors=compressor, filters=filters, **options)
    put("none", f32, chunks=(3, 6, 7))
    put("zlib", f32, n.Zlib(6))
    put("gzip", f32, n.GZip(6))
    put("zstd", f32, n.Zstd(3))
    put("lz4", f32, n.LZ4())
    put("bz2", f32, n.BZ2(9))
    put("lzma", f32, n.LZMA(preset=6))
    put("lzma_raw", f32, n.LZMA(format=3, filters=[{"id": 3, "dist": 4}, {"id": 33, "preset": 1}]))
    for inner in ("blosclz", "lz4", "lz4hc", "zlib", "zstd"):
        put(f"blosc_{inner}", f32, n.Blosc(inner, 5, n.Blosc.SHUFFLE))
    put("blosc_lz4_bitshuffle", f32, n.Blosc("lz4", 5, n.Blosc.BITSHUFFLE))
    put("blosc_zstd_bitshuffle_u8", sample("uint8"), n.Blosc("zstd", 5, n.Blosc.BITSHUFFLE))
    put("blosc_lz4_noshuffle", i32, n.Blosc("lz4", 5, n.Blosc.NOSHUFFLE))
    put("blosc_many_blocks", np.tile(sample("int16"), (1, 4, 4)), n.Blosc("lz4", 5, n.Blosc.SHUFFLE, 512), chunks=(5, 44, 52))
    put("shuffle_zlib", f32, n.Zlib(6), [n.Shuffle(4)])
    put("delta_zstd", i32, n.Zstd(3), [n.Delta("<i4")])
    put("delta_narrow", (np.arange(np.prod(SHAPE)) % 90).reshape(SHAPE).astype("i4"), n.Zlib(1), [n.Delta("<i4", "i1")])
    put("fixedscaleoffset", np.round(f32 * 10) / 10, n.Zlib(6), [n.FixedScaleOffset(offset=280, scale=10, dtype="<f4", astype="<i2")])
    put("astype", f32.astype("f8"), n.Zlib(6), [n.AsType("<f4", "<f8")])
    put("packbits", sample("bool"), n.Zlib(6), [n.PackBits()])
    put("crc32", f32, None, [n.CRC32()])
    put("crc32_end", f32, None, [n.CRC32(location="end")])
    put("adler32", f32, None, [n.Adler32()])
    put("fletcher32", f32, None, [n.Fletcher32()])
    put("order_f", f32, n.Zlib(6), order="F")
    put("big_endian", f32.astype(">f4"), n.Zstd(3))
    put("keys_nested", f32, n.Zlib(1), chunk_key_encoding={"name": "v2", "separator": "/"})
    for dtype in ("bool", "int8", "uint16", "int64", "uint64", "float16", "float64", "complex64", "complex128"):
        put(f"type_{dtype}", sample(dtype), n.Zstd(3))
    put("fill_nan", f32, n.Zlib(1), fill_value=np.nan)
    put("rank_0", np.array(42.5, "f8"), chunks=())
    put("zero_size", np.zeros((0, 4), "i4"), chunks=(2, 4))
    put("text_fixed", np.array(["one", "zwölf", "", "thirteen", "北京"], "<U8"), n.Zlib(1), chunks=(2,), fill_value="")
    put("bytes_fixed", np.array([b"one", b"twelve", b"", b"\x01\x02", b"x"], "S8"), n.Zlib(1), chunks=(2,), fill_value=b"")
    put("datetime", np.array(["2020-01-01", "NaT", "1969-12-31"], "M8[s]"), chunks=(2,), fill_value=np.datetime64("NaT", "s"))
    record_type = np.dtype([("id", "<i4"), ("height", "<f4"), ("code", "S3")])
    put("record", np.array([(i, i / 4, b"a%d" % i) for i in range(7)], record_type), n.Zlib(1), chunks=(3,), fill_value=None)
    missing = zarr.create_array(out / "missing_chunks.zarr", shape=SHAPE, dtype="i2", chunks=CHUNKS, zarr_format=2, fill_value=-7, compressors=n.Zlib(1))
    missing[:3, :, :7] = sample("int16")[:3, :, :7]
    group = zarr.create_group(out / "unconsolidated.zarr", zarr_format=2, attributes={"title": "no index of what is inside"})
    for name in ("a", "b/c"):
        group.create_array(name, shape=SHAPE, dtype="f4", chunks=CHUNKS, compressors=n.Zlib(1))[...] = f32 + len(name)


def v3_fixtures(out):
    f32, i32, little = sample(), sample("int32"), BytesCodec(endian="little")
    put = lambda name, array, compressors=(), **options: zarr_array(out / f"{name}.zarr", array, 3, compressors=compressors, **options)
    put("none", f32, chunks=(3, 6, 7))
    put("big_endian", f32, serializer=BytesCodec(endian="big"))
    put("gzip", f32, GzipCodec(level=6))
    put("zstd", f32, ZstdCodec(level=3))
    put("zstd_checksum", f32, ZstdCodec(level=3, checksum=True))
    put("blosc_lz4", f32, BloscCodec(typesize=4, cname="lz4", clevel=5, shuffle="shuffle"))
    put("blosc_zstd_bitshuffle", f32, BloscCodec(typesize=4, cname="zstd", clevel=5, shuffle="bitshuffle"))
    put("crc32c", f32, Crc32cCodec())
    put("gzip_crc32c", f32, (GzipCodec(level=1), Crc32cCodec()))
    put("transpose", f32, ZstdCodec(), filters=TransposeCodec(order=(2, 0, 1)))
    put("keys_default_dot", f32, chunk_key_encoding={"name": "default", "separator": "."})
    put("keys_v2", f32, chunk_key_encoding={"name": "v2", "separator": "."})
    for dtype in ("bool", "int8", "uint16", "int64", "uint64", "float16", "float64", "complex64", "complex128"):
        put(f"type_{dtype}", sample(dtype), ZstdCodec())
    put("fill_nan_bits", f32, fill_value=np.nan)
    put("rank_0", np.array(42.5, "f8"), chunks=())
    put("zero_size", np.zeros((0, 4), "i4"), chunks=(2, 4))
    put("numcodecs_zlib", f32, zarr.codecs.numcodecs.Zlib(level=6))
    put("numcodecs_shuffle", f32, (zarr.codecs.numcodecs.Shuffle(elementsize=4), zarr.codecs.numcodecs.LZ4()))
    put("numcodecs_delta", i32, ZstdCodec(), filters=zarr.codecs.numcodecs.Delta(dtype="<i4"))
    put("numcodecs_fixedscaleoffset", np.round(f32 * 10) / 10, ZstdCodec(),
        filters=zarr.codecs.numcodecs.FixedScaleOffset(offset=280, scale=10, dtype="<f4", astype="<i2"))
    missing = zarr.create_array(out / "missing_chunks.zarr", shape=SHAPE, dtype="i2", chunks=CHUNKS, zarr_format=3, fill_value=-7, compressors=ZstdCodec())
    missing[:3, :, :7] = sample("int16")[:3, :, :7]

    inner = dict(chunks=(1, 3, 4), shards=(3, 6, 8))
    put("sharded", f32, ZstdCodec(), **inner)
    put("sharded_none", f32, **inner)
    put("sharded_blosc", f32, BloscCodec(typesize=4, cname="lz4", shuffle="shuffle"), **inner)
    put("sharded_transposed_inside", f32, ZstdCodec(), filters=TransposeCodec(order=(1, 2, 0)), **inner)
    missing = zarr.create_array(out / "sharded_missing.zarr", shape=SHAPE, dtype="f4", zarr_format=3, fill_value=np.nan, compressors=ZstdCodec(), **inner)
    missing[0, 2:8, 2:6] = f32[0, 2:8, 2:6]
    # A checksum over the whole shard: inner ranges keep their meaning, the index ends 4 bytes before the end.
    shard = lambda **more: ShardingCodec(chunk_shape=(1, 3, 4), codecs=[little, ZstdCodec()], index_codecs=[little, Crc32cCodec()], **more)
    shards = dict(chunks=(3, 6, 8))
    put("shard_then_crc32c", f32, Crc32cCodec(), serializer=shard(), **shards)
    put("shard_then_gzip", f32, GzipCodec(level=1), serializer=shard(), **shards)
    put("shard_index_start_zarr_python", f32, serializer=shard(index_location="start"), **shards)
    put("shard_index_plain", f32, serializer=ShardingCodec(chunk_shape=(1, 3, 4), codecs=[little], index_codecs=[BytesCodec(endian="big")]), **shards)
    group = zarr.create_group(out / "unconsolidated.zarr", zarr_format=3, attributes={"title": "no index of what is inside"})
    for name in ("a", "b/c"):
        group.create_array(name, shape=SHAPE, dtype="f4", chunks=CHUNKS, compressors=ZstdCodec())[...] = f32 + len(name)


def tensorstore_fixtures(out):
    """What zarr-python does not write: a shard in a shard, a transpose before a shard."""
    little, crc = {"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}
    zstd = {"name": "zstd", "configuration": {"level": 3}}
    shard = lambda shape, codecs, where="end": {
        "name": "sharding_indexed",
        "configuration": {"chunk_shape": shape, "codecs": codecs, "index_codecs": [little, crc], "index_location": where},
    }
    transpose = {"name": "transpose", "configuration": {"order": [2, 0, 1]}}
    chains = {
        "ts_shard_index_start": [shard([1, 3, 4], [little, zstd], "start")],
        "ts_nested_shards": [shard([3, 6, 8], [shard([1, 3, 4], [little, zstd], "start")])],
        "ts_transpose_then_shard": [transpose, shard([4, 1, 3], [little, zstd])],
    }
    f32 = sample()
    for name, codecs in chains.items():
        shape = [3, 6, 8] if "nested" not in name else [6, 12, 16]
        metadata = {"shape": list(SHAPE), "data_type": "float32", "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shape}}, "codecs": codecs}
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(out / f"{name}.zarr")}, "metadata": metadata}
        store = tensorstore.open(spec, create=True, delete_existing=True).result()
        store.write(f32).result()
        assert np.array_equal(store.read().result(), f32), name


WORDS = ["", "field", "forêt", "水", "a river with a lake", "town"] * 2


def text_fixtures(out):
    """Variable-length text: (path, expected) each."""
    words = np.array(WORDS, object).reshape(3, 4)
    for version, compressor in ((2, numcodecs.Zlib(1)), (3, ZstdCodec())):
        path = out / f"v{version}" / "text_variable.zarr"
        options = dict(filters=[numcodecs.VLenUTF8()]) if version == 2 else {}
        array = zarr.create_array(path, shape=(3, 4), chunks=(2, 3), dtype=str, zarr_format=version, fill_value="", compressors=compressor, **options)
        array[...] = words
        assert list(array[...].ravel()) == WORDS
        yield path, texts(WORDS, (3, 4))


def zip_fixtures(out):
    """The same group in a zip with stored members by zarr-python, and with deflated ones by Python's zipfile."""
    f32 = sample()
    with zarr.storage.ZipStore(out / "stored.zip", mode="w") as store:
        group = zarr.create_group(store, zarr_format=3)
        group.create_array("a", data=f32, chunks=CHUNKS, compressors=ZstdCodec())
    with zipfile.ZipFile(out / "deflated.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        folder = out / "v2" / "unconsolidated.zarr"
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.writestr(zipfile.ZipInfo(str(path.relative_to(folder)), (2020, 1, 1, 0, 0, 0)), path.read_bytes(), zipfile.ZIP_DEFLATED)


def reference_fixtures(out):
    """A kerchunk reference file over two objects: chunks are ranges of them, one is inline, one a whole object, one is not there."""
    out.mkdir()
    values = (np.arange(6 * 40, dtype="<i4").reshape(6, 40) * 7) % 1000
    zlib = numcodecs.Zlib(6)
    zarray = {"zarr_format": 2, "shape": [6, 40], "chunks": [1, 40], "dtype": "<i4", "compressor": zlib.get_config(), "filters": None, "fill_value": -1, "order": "C"}
    parts = {"first.bin": b"GRIB-like header....", "second.bin": b""}
    refs = {".zgroup": json.dumps({"zarr_format": 2}), "v/.zarray": json.dumps(zarray), "v/.zattrs": json.dumps({"_ARRAY_DIMENSIONS": ["time", "x"]})}
    for row, target in ((0, "first.bin"), (1, "first.bin"), (3, "second.bin"), (4, "second.bin")):
        data = zlib.encode(values[row])
        refs[f"v/{row}.0"] = ["{{u}}" + target, len(parts[target]), len(data)]
        parts[target] += data + b"\0" * 5
    refs["v/2.0"] = "base64:" + base64.b64encode(zlib.encode(values[2])).decode()
    (out / "third.bin").write_bytes(zlib.encode(values[5]))
    refs["v/5.0"] = ["third.bin"]
    del refs["v/4.0"]
    for name, data in parts.items():
        (out / name).write_bytes(data)
    (out / "refs.json").write_text(json.dumps({"version": 1, "templates": {"u": ""}, "refs": refs}, indent=1))
    plain = {k: ([v[0].replace("{{u}}", ""), *v[1:]] if isinstance(v, list) else v) for k, v in refs.items()}
    (out / "refs_v0.json").write_text(json.dumps(plain, indent=1))
    values[4] = -1
    return plain, values


def parquet_references(out, refs, values):
    """The same chunks behind tables in Parquet, of 4 rows, by both writers of fsspec. Its objects lie in its own folder."""
    root = out / "refs.parq"
    inside = {k: ["../data/" + v[0], *v[1:]] if isinstance(v, list) else v for k, v in refs.items()}
    # `path` as categories, which fastparquet writes in a way of its own.
    kerchunk.df.refs_to_dataframe(inside, str(root), record_size=4, categorical_threshold=0)
    mapper = LazyReferenceMapper(str(root), engine="pyarrow")
    zarray = json.loads(inside["v/.zarray"])
    mapper["w/.zarray"] = json.dumps({**zarray, "shape": [12, 40]})  # of whose third table there is nothing
    for row in (0, 1, 2, 3, 5):
        mapper[f"w/{row}.0"] = inside[f"v/{row}.0"]
    mapper.flush()
    (root / "data").mkdir()
    for name in ["first.bin", "second.bin", "third.bin"]:
        shutil.copy(out / name, root / "data" / name)
    longer = np.full((12, 40), -1, "<i4")
    longer[:6] = values
    return {"v": record(values), "w": record(longer)}


def arrays_of(path):
    """{name: expected} of every array of a store, read by zarr-python."""
    found = {}
    store = zarr.storage.ZipStore(path, mode="r") if path.suffix == ".zip" else str(path)
    opened = zarr.open(store, mode="r")
    members = {"": opened} if isinstance(opened, zarr.Array) else {name: node for name, node in opened.members(max_depth=None) if isinstance(node, zarr.Array)}
    for name, array in members.items():
        values = np.asarray(array[...])
        if values.dtype.kind == "M":
            found[name] = record(values.view("<i8"), dtype=array.dtype.str.lstrip("<"))
        elif values.dtype.kind in "UVS":
            found[name] = record_bytes(values)
        else:
            found[name] = record(values)
    if path.suffix == ".zip":
        store.close()
    return found


def record_bytes(values):
    """Fixed text and records as they are in memory."""
    plain = canonical(np.frombuffer(values.tobytes(), np.uint8))[0]
    out = record(plain)
    return {**out, "shape": list(values.shape), "dtype": "record" if values.dtype.names else values.dtype.str.lstrip("<|")}


def make(out):
    warnings.simplefilter("ignore")
    # gzip streams and zip members carry the time, and members stand in the order their tasks ended.
    gzip.time = zarr.storage._zip.time = types.SimpleNamespace(localtime=lambda *_: (2020, 1, 1, 0, 0, 0, 0, 0, 0), time=lambda: 0)
    zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1})
    climate(out)
    folder = out / "zarr"
    (folder / "v2").mkdir(parents=True)
    (folder / "v3").mkdir()
    v2_fixtures(folder / "v2")
    v3_fixtures(folder / "v3")
    tensorstore_fixtures(folder / "v3")
    expected = {}
    for path, found in text_fixtures(folder):
        expected[str(path.relative_to(out))] = {"": found}
    zip_fixtures(folder)
    stores = [out / "climate.zarr", out / "climate_v3.zarr", *sorted(folder.glob("v?/*.zarr")), *sorted(folder.glob("*.zip"))]
    for path in stores:
        name = str(path.relative_to(out))
        if name in expected:
            continue
        if path.name == "deflated.zip":
            expected[name] = expected["zarr/v2/unconsolidated.zarr"]
        elif path.name.startswith("ts_"):
            expected[name] = {"": record(sample())}  # tensorstore read them back the same
        else:
            expected[name] = arrays_of(path)
    refs, values = reference_fixtures(out / "references")
    expected["references/refs.json"] = expected["references/refs_v0.json"] = {"v": record(values)}
    expected["references/refs.parq"] = parquet_references(out / "references", refs, values)
    return expected
