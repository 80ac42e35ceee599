"""Files that break the rules, made by hand, and the table that says how. A reader answers each with an error or with data."""

import json
import struct
import zlib

from . import jpegxl

LONG, SHORT, LONG8 = 4, 3, 16
FORMATS = {SHORT: "H", LONG: "I", LONG8: "Q"}


def tiff(tags, data=b"", next_ifd=0, big=False, count=None):
    """A little-endian TIFF of one directory behind its data: {tag: (type, values)}, or (type, values, declared count)."""
    word, entry, header = ("Q", "<HHQ", 16) if big else ("I", "<HHI", 8)
    size = 8 if big else 4
    data += b"\0" * (-len(data) % 8)
    at = header + len(data)
    directory = b""
    extra = b""
    behind = at + (8 if big else 2) + len(tags) * (20 if big else 12) + size
    for tag, (kind, values, *declared) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{FORMATS[kind]}", *values)
        directory += struct.pack(entry, tag, kind, declared[0] if declared else len(values))
        if len(packed) <= size:
            directory += packed.ljust(size, b"\0")
        else:
            directory += struct.pack("<" + word, behind + len(extra))
            extra += packed
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, at) if big else struct.pack("<2sHI", b"II", 42, at)
    entries = struct.pack("<Q" if big else "<H", len(tags) if count is None else count)
    return head + data + entries + directory + struct.pack("<" + word, next_ifd) + extra


def image(width=16, height=16, tile=(16, 16), compression=1, offsets=(8,), lengths=(256,), **changes):
    tags = {
        256: (LONG, [width]), 257: (LONG, [height]), 258: (SHORT, [8]), 259: (SHORT, [compression]), 262: (SHORT, [1]), 277: (SHORT, [1]),
        322: (LONG, [tile[0]]), 323: (LONG, [tile[1]]), 324: (LONG, list(offsets)), 325: (LONG, list(lengths)),
    }
    tags.update({int(tag[1:]): value for tag, value in changes.items()})
    return tags


def bomb(megabytes, wbits=15):
    """A Deflate stream of zeros."""
    press = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(press.compress(b"\0" * 2**20) for _ in range(megabytes)) + press.flush()


def tiff_files(good):
    pixels = bytes(range(256))
    plain = tiff(image(), pixels)
    directory = 8 + len(pixels)
    yield "ifd_cycle.tif", tiff(image(), pixels, next_ifd=directory), "the directory names itself as the next one: walkers run for ever"
    yield "subifd_cycle.tif", tiff(image(t330=(LONG, [directory])), pixels), "the sub-directory is its own parent"
    yield "ifd_past_end.tif", struct.pack("<2sHI", b"II", 42, 0xFFFFFFF0), "the first directory lies 4 GiB behind the end"
    yield "entries_65535.tif", tiff(image(), pixels, count=65535), "65,535 entries declared, 10 there"
    yield "tiles_4g.tif", tiff(image(2**32 - 1, 2**32 - 1, t324=(LONG, [8], 2**32 - 1), t325=(LONG, [256], 2**32 - 1)), pixels), \
        "2^32-1 tiles declared: a table of 16 GiB is allocated from a file of 500 bytes"
    yield "tile_60000.tif", tiff(image(60000, 60000, (60000, 60000), 8, lengths=(20,)), zlib.compress(pixels)[:20]), \
        "one tile of 60,000 x 60,000 pixels: 3.6 GB for 20 bytes of data"
    yield "tag_count_2_60.tif", tiff(image(t324=(LONG8, [16, 16], 2**60)), pixels, big=True), "a tag of 2^60 values: count times size overflows 64 bits"
    yield "tile_width_zero.tif", tiff(image(tile=(0, 16)), pixels), "tiles of no width: a division by zero"
    yield "image_width_zero.tif", tiff(image(width=0), pixels), "an image of no width"
    yield "no_tables.tif", tiff({k: v for k, v in image().items() if k < 322}, pixels), "neither tiles nor strips"
    yield "tile_past_end.tif", tiff(image(offsets=(2**32 - 2,)), pixels), "a tile that begins 4 GiB behind the end; offset plus length overflows 32 bits"
    yield "tile_table_short.tif", tiff(image(width=64, offsets=(8, 8), lengths=(256, 256)), pixels), "four tiles, a table of two"
    yield "samples_65535.tif", tiff(image(t277=(SHORT, [65535])), pixels), "65,535 samples a pixel, bits of one"
    yield "bits_65535.tif", tiff(image(t258=(SHORT, [65535])), pixels), "65,535 bits a sample"
    bombed = bomb(48)
    yield "deflate_bomb.tif", tiff(image(compression=8, lengths=(len(bombed),)), bombed), "a tile of 256 bytes whose stream inflates to 48 MiB"
    lzw = b"\x80" + b"\xff" * 40
    yield "lzw_codes.tif", tiff(image(compression=5, lengths=(len(lzw),)), lzw), "LZW codes that were never defined"
    yield "truncated.tif", good[: len(good) * 2 // 5], "a good file that ends after two fifths"
    yield "geokeys_short.tif", tiff(image(t34735=(SHORT, [1, 1, 0, 200, 1024, 0, 1, 1])), pixels), "GeoKeys: 200 keys declared, one there"
    yield "empty.tif", b"", "no bytes at all"
    assert len(plain) < 600


def array_v3(shape=(8,), chunk=(4,), codecs=None, **changes):
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    metadata = {
        "zarr_format": 3, "node_type": "array", "shape": list(shape), "data_type": "int32", "fill_value": 0, "attributes": {},
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}, "codecs": [little] if codecs is None else codecs,
    }
    metadata.update(changes)
    return json.dumps(metadata, indent=1).encode()


def array_v2(shape=(8,), chunks=(4,), compressor=None, dtype="<i4"):
    metadata = {"zarr_format": 2, "shape": list(shape), "chunks": list(chunks), "dtype": dtype, "compressor": compressor, "filters": None, "fill_value": 0, "order": "C"}
    return json.dumps(metadata, indent=1).encode()


def zarr_stores():
    little, crc = {"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}
    shard = [{"name": "sharding_indexed", "configuration": {"chunk_shape": [2], "codecs": [little], "index_codecs": [little], "index_location": "end"}}]
    index = lambda *entries: struct.pack(f"<{len(entries) * 2}Q", *(n for entry in entries for n in entry))
    yield "chunk_zero.zarr", {"zarr.json": array_v3(chunk=(0,))}, "chunks of no length: a division by zero"
    yield "shape_2_63.zarr", {"zarr.json": array_v3(shape=(2**63, 2**63), chunk=(2**62, 2**62))}, "dimensions whose product overflows 64 bits"
    yield "shape_negative.zarr", {".zarray": array_v2(shape=(-8,))}, "a negative length"
    yield "deep_json.zarr", {"zarr.json": b'{"zarr_format": 3, "node_type": "array", "attributes": ' + b"[" * 16000 + b"]" * 16000 + b"}"}, \
        "attributes 16,000 lists deep: a recursive parser overflows its stack"
    yield "rank_mismatch.zarr", {"zarr.json": array_v3(shape=(8, 8))}, "two dimensions, chunks of one"
    yield "shard_index_overflow.zarr", {"zarr.json": array_v3(codecs=shard), "c/0": bytes(16) + index((2**64 - 8, 16), (0, 8))}, "offset plus length of an inner chunk overflows 64 bits"
    yield "shard_index_past_end.zarr", {"zarr.json": array_v3(codecs=shard), "c/0": bytes(16) + index((2**40, 8), (0, 2**50))}, "inner chunks behind the end of their shard"
    yield "shard_too_short.zarr", {"zarr.json": array_v3(codecs=shard), "c/0": b"short"}, "a shard shorter than its index"
    yield "shards_nested_deep.zarr", {"zarr.json": nested_shards(40)}, "40 shards in each other"
    zstd = [little, {"name": "zstd", "configuration": {"level": 3, "checksum": False}}]
    frame = struct.pack("<I", 0xFD2FB528) + bytes([0xC0, 0x40]) + struct.pack("<Q", 2**40) + b"\1\0\0"
    yield "zstd_frame_1tib.zarr", {"zarr.json": array_v3(codecs=zstd), "c/0": frame}, "a Zstandard frame that claims 1 TiB for a chunk of 16 bytes"
    blosc = struct.pack("<BBBBIII", 2, 1, 1, 4, 2**31 - 1, 2**31 - 1, 40) + bytes(24)
    yield "blosc_header_2gib.zarr", {".zarray": array_v2(compressor={"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}), "0": blosc}, \
        "a Blosc header that claims 2 GiB in one block"
    yield "lz4_negative.zarr", {".zarray": array_v2(compressor={"id": "lz4", "acceleration": 1}), "0": struct.pack("<i", -16) + b"\xf0" + bytes(20)}, \
        "an LZ4 chunk of decoded length -16"
    yield "gzip_bomb.zarr", {".zarray": array_v2(compressor={"id": "gzip", "level": 9}), "0": bomb(24, 31)}, "a chunk of 16 bytes whose stream inflates to 24 MiB"
    short = struct.pack("<III", 9, 4, 2**31) + b"word"
    vlen = array_v2(dtype="|O").replace(b'"filters": null', b'"filters": [{"id": "vlen-utf8"}]').replace(b'"fill_value": 0', b'"fill_value": ""')
    yield "vlen_lengths.zarr", {".zarray": vlen, "0": short}, "9 texts declared in a chunk of 4, one of 2 GiB"


def nested_shards(depth):
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    for _ in range(depth):
        codecs = [{"name": "sharding_indexed", "configuration": {"chunk_shape": [4], "codecs": codecs, "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}}]
    return array_v3(codecs=codecs)


def references():
    zarray = array_v2().decode()
    yield "refs_escape.json", {"v/.zarray": zarray, "v/0": ["../../../../../etc/passwd", 0, 16]}, "a reference that climbs out of its folder"
    yield "refs_negative.json", {"v/.zarray": zarray, "v/0": ["refs_negative.json", -4, 2**63]}, "a range that begins before the object"
    yield "refs_base64.json", {"v/.zarray": zarray, "v/0": "base64:@@@@"}, "inline data that is not base64"


def finds():
    """What fuzzing found, as the input of the target that the name says: fuzz_TARGET_WHAT.bin"""
    yield "fuzz_chain_widening.bin", bytes.fromhex("5e00500065" + "ff" * 44 + "66e6ff00000000"), \
        "steps that widen one after the other: 8 GiB between an LZW stream of a few bytes and a small chunk"
    yield "fuzz_codec_hidden_frames.bin", bytes([0, 16, 16]) + jpegxl.hidden_frames(60, 830), \
        "a JPEG XL image of 16 x 16 behind 60 frames that are never shown: 690,000 pixels of work for 32 bytes each"


def make(out):
    folder = out / "bad"
    folder.mkdir()
    rows = []
    good = (out / "tiff" / "tiles_u16_deflate_p2.tif").read_bytes()
    for name, data, what in tiff_files(good):
        (folder / name).write_bytes(data)
        rows.append((name, what))
    for name, members, what in zarr_stores():
        for key, data in members.items():
            path = folder / name / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        rows.append((name, what))
    for name, refs, what in references():
        (folder / name).write_text(json.dumps({"version": 1, "refs": refs}, indent=1))
        rows.append((name, what))
    for name, data, what in finds():
        (folder / name).write_bytes(data)
        rows.append((name, what))
    table = "".join(f"| `{name}` | {what} |\n" for name, what in rows)
    (folder / "INDEX.md").write_text(
        "# Malformed input\n\nEvery file is read by the tests and seeds the fuzz targets: the answer is an error or data, never a panic, a hang,\n"
        "or memory out of proportion. A fuzz find is added to `making/bad.py`, or, where it cannot be written by hand, put beside\n"
        "it with a row of its own there.\n\n| file | what it does |\n| --- | --- |\n" + table)
