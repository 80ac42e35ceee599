"""Writes vectors.txt: chunks encoded by numcodecs, imagecodecs, GDAL, Pillow and Python's own modules, one a line.

name | codecs in the order of decoding | data type | shape | encoded (hex) | decoded (hex, little-endian; or `wave N`)
"""
import bz2, gzip, lzma, struct, sys, zlib
import numpy as np
import imagecodecs as ic
import numcodecs as nc
from PIL import Image
from numcodecs import blosc

# The pattern `wave`: little-endian 16-bit numbers that compress, and not into nothing.
def wave(n):
    i = np.arange(n // 2, dtype=np.uint64)
    return ((i * i // 61 + 3 * (i % 5)) % 65536).astype("<u2").tobytes()

out = open(sys.argv[1] if len(sys.argv) > 1 else "vectors.txt", "w")

def row(name, chain, dtype, shape, encoded, decoded):
    shape = ",".join(map(str, shape))
    decoded = decoded if isinstance(decoded, str) else "hex " + bytes(decoded).hex()
    print(name, chain, dtype, shape, bytes(encoded).hex(), decoded, sep=" | ", file=out)

N = 2000
W = wave(N)
U = f"wave {N}"
u16 = np.frombuffer(W, "<u2")

def raw(name, chain, encoded):
    row(name, chain, "u16", [N // 2], encoded, U)

raw("zlib", "zlib", zlib.compress(W))
raw("zlib without its header", "zlib", zlib.compress(W)[2:-4])
raw("zlib, not compressed", "zlib", zlib.compress(W, 0))
raw("deflate", "deflate", zlib.compress(W)[2:-4])
raw("gzip", "gzip", gzip.compress(W, mtime=0))
raw("gzip, two members", "gzip", gzip.compress(W[:1000], mtime=0) + gzip.compress(W[1000:], mtime=0) + bytes(5))
import io
b = io.BytesIO()
with gzip.GzipFile("a name", "wb", mtime=0, fileobj=b) as f: f.write(W)
raw("gzip with a name", "gzip", b.getvalue())
raw("zstd", "zstd", nc.Zstd(3).encode(W))
raw("zstd, two frames", "zstd", nc.Zstd(3).encode(W[:1000]) + bytes.fromhex("502a4d1803000000616263") + nc.Zstd(9).encode(W[1000:]))
raw("zstd with a checksum", "zstd", nc.Zstd(3, checksum=True).encode(W))
raw("lz4", "lz4", nc.LZ4().encode(W))
raw("bzip2", "bzip2", bz2.compress(W))
raw("bzip2, two streams", "bzip2", bz2.compress(W[:1000]) + bz2.compress(W[1000:]))
raw("xz", "xz", lzma.compress(W))
raw("lzma alone", "xz", lzma.compress(W, format=lzma.FORMAT_ALONE))
for name, filters in {
    "lzma2": [{"id": lzma.FILTER_LZMA2, "preset": 1}],
    "lzma1": [{"id": lzma.FILTER_LZMA1, "preset": 6}],
    "delta and lzma2": [{"id": lzma.FILTER_DELTA, "dist": 2}, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 16}],
}.items():
    import json
    raw("raw " + name, "lzmaraw " + json.dumps(filters, separators=(",", ":")), lzma.compress(W, format=lzma.FORMAT_RAW, filters=filters))
for cname in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]:
    for shuffle in [0, 1, 2]:
        e = nc.Blosc(cname=cname, clevel=9, shuffle=shuffle, blocksize=1024).encode(u16)
        raw(f"blosc {cname} shuffle {shuffle}", "blosc", e)
raw("blosc, not compressed", "blosc", nc.Blosc(clevel=0).encode(u16))
noise = np.random.default_rng(1).integers(0, 256, 500, dtype=np.uint8).tobytes()
row("blosc of noise", "blosc", "u8", [500], nc.Blosc(cname="blosclz", clevel=9).encode(noise), noise)
runs = (b"\x05" * 900 + b"abcdefgh" * 100 + noise[:40] + b"\x00" * 9000 + noise[:300] + b"abcdefgh" * 40)
row("blosclz, long and far matches", "blosc", "u8", [len(runs)], nc.Blosc(cname="blosclz", clevel=9, shuffle=0).encode(runs), runs)
f64 = np.linspace(-3, 8, 700)
row("blosc f64 bits", "blosc", "f64", [700], nc.Blosc(cname="zstd", clevel=5, shuffle=2).encode(f64), f64.tobytes())
odd = np.frombuffer(W[:997 * 2], "<u2")
row("blosc bits, not a multiple of 8", "blosc", "u16", [997], nc.Blosc(cname="lz4", clevel=5, shuffle=2).encode(odd), odd.tobytes())
raw("zstd over blosc", "zstd; blosc", nc.Zstd(1).encode(nc.Blosc(cname="lz4").encode(u16)))

raw("lzw", "lzw", ic.lzw_encode(W))
row("lzw, a full table", "lzw", "u8", [6000], ic.lzw_encode((noise * 12)), noise * 12)
row("lzw, one run", "lzw", "u8", [700], ic.lzw_encode(b"a" * 700), b"a" * 700)
raw("packbits", "packbits", ic.packbits_encode(W))
row("packbits runs", "packbits", "u8", [600], ic.packbits_encode(b"a" * 300 + noise[:300]), b"a" * 300 + noise[:300])

short = W[:60]
us = u16[:30]
for name, codec in {"crc32": nc.CRC32(), "crc32 end": nc.CRC32(location="end"), "crc32c": nc.crc32.CRC32C() if hasattr(nc, "crc32") else None,
                    "adler32": nc.Adler32(), "adler32 end": nc.Adler32(location="end"), "fletcher32": nc.Fletcher32()}.items():
    if codec is not None:
        row(name, name, "u16", [30], codec.encode(us), short)
row("fletcher32, odd", "fletcher32", "u8", [1201], nc.Fletcher32().encode(np.frombuffer(W[:1201], "u1").copy()), W[:1201])
for n in (2, 4, 8):
    row(f"shuffle {n}", f"shuffle {n}", {2: "u16", 4: "u32", 8: "u64"}[n], [240 // n], nc.Shuffle(n).encode(W[:240]), W[:240])
row("big-endian u16", "big", "u16", [30], us.astype(">u2").tobytes(), short)
c = (np.arange(6) + 2j * np.arange(6)).astype("<c8")
row("big-endian complex", "big", "c64", [6], c.astype(">c8").tobytes(), c.tobytes())
row("big-endian text", "big", "U3", [2], np.array(["añ", "xyz"], ">U3").tobytes(), np.array(["añ", "xyz"], "<U3").tobytes())
rec = np.array([(1, 2.5, [3, 4]), (-5, 6.25, [7, 8])], "<i2,<f8,(2,)<u4")
row("big-endian record", "big", "record", [2], rec.astype(">i2,>f8,(2,)>u4").tobytes(), rec.tobytes())
for dt in ["u1", "u2", "u4", "i8"]:
    for s, name in ((1, "grey"), (3, "rgb")):
        a = (u16[:60].astype("u8") * 40503 % 65536).astype(dt).reshape(4, 15 // s, s)
        t = {"u1": "u8", "u2": "u16", "u4": "u32", "i8": "i64"}[dt]
        row(f"predictor 2 {dt} {name}", f"predictor {15} {s}", t, a.shape, np.ascontiguousarray(ic.delta_encode(a, axis=1)).tobytes(), a.tobytes())
for dt, t in (("<f2", "f16"), ("<f4", "f32"), ("<f8", "f64")):
    a = np.linspace(-5, 1e3, 60).astype(dt).reshape(4, 15)
    row(f"predictor 3 {t}", "floatpredictor 15 1", t, a.shape, ic.floatpred_encode(a, axis=-1).tobytes(), a.tobytes())
    a = a.reshape(4, 5, 3)
    row(f"predictor 3 {t} rgb", "floatpredictor 15 3", t, a.shape, ic.floatpred_encode(a, axis=1).tobytes(), a.tobytes())
for bits in (1, 2, 3, 4, 5, 7, 10, 12, 14, 20, 31):
    t = "u1" if bits <= 8 else "u2" if bits <= 16 else "u4"
    v = (np.arange(21, dtype="u8") * 2654435761 % (1 << bits)).astype(t).reshape(3, 7)
    row(f"{bits} bits", f"bits {bits} 7", {"u1": "u8", "u2": "u16", "u4": "u32"}[t], [3, 7], ic.packints_encode(v, bits, runlen=7), v.astype("<" + t).tobytes())
    signed = np.where(v >= 1 << (bits - 1), v.astype("i8") - (1 << bits), v.astype("i8")).astype("<i" + t[1])
    if bits in (1, 5, 12, 20):
        row(f"{bits} bits, signed", f"bits {bits} 7", {"u1": "i8", "u2": "i16", "u4": "i32"}[t], [3, 7], ic.packints_encode(v, bits, runlen=7), signed.tobytes())
for e, n in ((">", "big"), ("<", "little")):
    src = bytes.fromhex("000000 800000 000001 800001 007fff 008000 00ffff 3f0000 bf8000 7effff 7f0000 ff0000 400000 123456".replace(" ", ""))
    enc = src if e == ">" else b"".join(src[i:i+3][::-1] for i in range(0, len(src), 3))
    row(f"float24 {n}", f"float24 {n}", "f32", [14], enc, ic.float24_decode(enc, byteorder=e).astype("<f4").tobytes())
i24 = bytes.fromhex("000001 7fffff 800000 ffffff".replace(" ", ""))
row("int24", "int24 big", "i32", [4], i24, np.array([1, 8388607, -8388608, -1], "<i4").tobytes())
row("uint24", "int24 big", "u32", [4], i24, np.array([1, 8388607, 8388608, 16777215], "<u4").tobytes())
for n in (8, 13, 1):
    v = np.arange(n) % 3 == 0
    row(f"{n} bools", "boolbits", "bool", [n], nc.PackBits().encode(v), v.tobytes())
names = {"u1": "u8", "i1": "i8", "u2": "u16", "i2": "i16", "u4": "u32", "i4": "i32", "u8": "u64", "i8": "i64", "f2": "f16", "f4": "f32", "f8": "f64"}
for a, b in (("i2", "i4"), ("i1", "i1"), ("f4", "f4"), ("f2", "f4"), ("i2", "f8")):
    v = (np.sin(np.arange(40)) * 90).astype("<" + b)
    d = nc.Delta(dtype="<" + b, astype="<" + a)
    enc = d.encode(v)
    row(f"delta {a} to {b}", f"delta {names[a]} {names[b]}", names[b], [40], enc.tobytes(), d.decode(enc).tobytes())
for a, b, s, o in (("u1", "f8", 10, 3.5), ("i2", "f4", 100, -40), ("u1", "f4", 0.1, 1000), ("f4", "f8", 3, 0.1), ("f2", "f4", 7, 0.3), ("i4", "i2", 2, 5)):
    f = nc.FixedScaleOffset(offset=o, scale=s, dtype="<" + b, astype="<" + a)
    enc = (np.arange(40) * 5 % 127).astype("<" + a)
    row(f"fixedscaleoffset {a} to {b}", f"scale {names[a]} {names[b]} {s} {o}", names[b], [40], enc.tobytes(), f.decode(enc).tobytes())
with np.errstate(all="ignore"):
    for a, b, v in (("f8", "i4", [1.9, -1.9, 2**31 - 1, -5e8]), ("i8", "u1", [1, 256, -1, 511]), ("f4", "f2", [1e5, 1/3, -0.0, 2]), ("u8", "f4", [2**63, 1, 2**53 + 1, 7]), ("f8", "u8", [1.5, 2.0**63, 3, 4]), ("i4", "f8", [-7, 1, 2, 3])):
        v = np.array(v, "<" + a)
        row(f"cast {a} to {b}", f"cast {names[a]} {names[b]}", names[b], [4], v.tobytes(), v.astype("<" + b).tobytes())
t = us[:24].reshape(2, 3, 4)
row("transpose", "transpose 2 0 1", "u16", [2, 3, 4], t.transpose(2, 0, 1).tobytes(), t.tobytes())
row("two transposes", "transpose 1 2 0; transpose 1 0 2", "u16", [2, 3, 4], t.transpose(1, 0, 2).transpose(1, 2, 0).tobytes(), t.tobytes())
row("transpose over zlib and big-endian", "zlib; big; transpose 1 0", "u16", [6, 4], zlib.compress(us[:24].reshape(6, 4).T.astype(">u2").tobytes()), us[:24].tobytes())
row("field", "field", "f64", [2], rec.tobytes(), rec["f1"].tobytes())
row("field of big-endian records", "big; field", "f64", [2], rec.astype(">i2,>f8,(2,)>u4").tobytes(), rec["f1"].tobytes())
for cname, enc in (("vlen text", nc.VLenUTF8().encode(np.array(["", "añb", "x" * 20], object))), ("vlen bytes", nc.VLenBytes().encode(np.array([b"", b"\xff\x00", b"yz"], object)))):
    dec = b"".join(bytes(s, "utf8") + b"\n" if isinstance(s, str) else s + b"\n" for s in (["", "añb", "x" * 20] if "text" in cname else [b"", b"\xff\x00", b"yz"]))
    row(cname, "vlen", "text" if "text" in cname else "bytes", [3], enc, dec)
row("vlen in zstd", "zstd; vlen", "text", [3], nc.Zstd().encode(nc.VLenUTF8().encode(np.array(["", "añb", "x" * 20], object))), "".join(s + "\n" for s in ["", "añb", "x" * 20]).encode())

grey = np.add.outer(np.arange(16) * 4, np.arange(24) * 5).astype("u1")
j = ic.jpeg8_encode(grey, level=90)
row("jpeg grey", "jpeg 1 stored", "u8", [16, 24], j, ic.jpeg8_decode(j).tobytes())
row("jpeg grey, a short strip", "jpeg 1 stored", "u8", [1, 10, 24], j, ic.jpeg8_decode(j)[:10].tobytes())
b = io.BytesIO()
Image.fromarray(grey).save(b, "JPEG", quality=90, restart_marker_blocks=2)
row("jpeg grey with restarts", "jpeg 1 stored", "u8", [16, 24], b.getvalue(), ic.jpeg8_decode(b.getvalue()).tobytes())
rgb = np.stack([grey, grey[::-1], 255 - grey], -1)
j = ic.jpeg8_encode(rgb, level=90, colorspace="rgb", outcolorspace="ycbcr", subsampling="444")
row("jpeg to rgb", "jpeg 3 rgb", "u8", [16, 24, 3], j, ic.jpeg8_decode(j, outcolorspace="rgb").tobytes())
row("jpeg ycbcr", "jpeg 3 stored", "u8", [16, 24, 3], j, ic.jpeg8_decode(j, colorspace="ycbcr", outcolorspace="ycbcr").tobytes())
cmyk = np.concatenate([rgb, grey[..., None]], -1)
j = ic.jpeg8_encode(cmyk, level=95, colorspace="cmyk", outcolorspace="cmyk")
row("jpeg cmyk", "jpeg 4 stored", "u8", [16, 24, 4], j, ic.jpeg8_decode(j, colorspace="cmyk", outcolorspace="cmyk").tobytes())
deep = (np.stack([np.add.outer(np.arange(19) ** 2 * 7, np.arange(27) * 31), np.add.outer(np.arange(19) * 90, np.arange(27)[::-1] * 80), np.full((19, 27), 900)], -1) % 4096).astype("<u2")
one = np.ascontiguousarray(deep[..., 0])
j = ic.jpeg8_encode(one, level=95, bitspersample=12)
row("deep jpeg grey", "jpeg 1 stored 12", "u16", [19, 27], j, ic.jpeg8_decode(j).tobytes())
for sub in ("444", "422", "420", "440", "411"):
    j = ic.jpeg8_encode(deep, level=95, bitspersample=12, colorspace="rgb", outcolorspace="ycbcr", subsampling=sub)
    row(f"deep jpeg {sub}", "jpeg 3 rgb 12", "u16", [19, 27, 3], j, ic.jpeg8_decode(j, outcolorspace="rgb").astype("<u2").tobytes())
j = ic.jpeg8_encode((deep >> 4).astype("u1"), level=95, colorspace="rgb", outcolorspace="ycbcr", subsampling="411")
row("own jpeg 411", "jpeg 3 rgb", "u8", [19, 27, 3], j, ic.jpeg8_decode(j, outcolorspace="rgb").tobytes())
for predictor in range(1, 8):
    j = ic.jpeg8_encode(one, lossless=True, predictor=predictor, bitspersample=12)
    row(f"lossless jpeg, predictor {predictor}", "jpeg 1 stored 12", "u16", [19, 27], j, one.tobytes())
wide = (deep.astype("u4") * 16 + 5).astype("<u2")
row("lossless jpeg of 16 bits", "jpeg 3 stored 16", "u16", [19, 27, 3], ic.jpeg8_encode(wide, lossless=True, predictor=4, bitspersample=16, colorspace="rgb", outcolorspace="rgb"), wide.tobytes())
row("lossless jpeg of 8 bits", "jpeg 3 stored", "u8", [19, 27, 3], ic.jpeg8_encode((deep >> 4).astype("u1"), lossless=True, colorspace="rgb", outcolorspace="rgb"), (deep >> 4).astype("u1").tobytes())
pairs = np.ascontiguousarray(wide[:, :26, 0].reshape(19, 13, 2))
row("lossless jpeg of two components", "jpeg 2 stored 16", "u16", [19, 13, 2], ic.jpeg8_encode(pairs, lossless=True, predictor=1, bitspersample=16), pairs.tobytes())
row("lossless jpeg of 14 bits by lj92", "jpeg 1 stored 16", "u16", [19, 27], ic.ljpeg_encode(one * 4, bitspersample=14), (one * 4).tobytes())
w = ic.webp_encode(rgb, lossless=True)
row("webp rgb", "webp 3", "u8", [16, 24, 3], w, rgb.tobytes())
row("webp rgb as rgba", "webp 4", "u8", [16, 24, 4], w, np.concatenate([rgb, np.full((16, 24, 1), 255, "u1")], -1).tobytes())
row("webp rgba", "webp 4", "u8", [16, 24, 4], ic.webp_encode(np.ascontiguousarray(cmyk), lossless=True), cmyk.tobytes())
for t in ("u1", "i2", "u2", "i4", "f4", "f8"):
    a = (grey.astype("f8") * 3 - 50).astype(t)
    row(f"lerc {t}", "lerc 1", names[t], [16, 24], ic.lerc_encode(a), a.astype("<" + t).tobytes())
row("lerc rgb", "lerc 3", "u8", [16, 24, 3], ic.lerc_encode(rgb), rgb.tobytes())
m = grey % 3 != 0
a = grey.astype("f4")
row("lerc with a mask", "lerc 1", "f32", [16, 24], ic.lerc_encode(a, masks=m), np.where(m, a, np.float32(np.nan)).astype("<f4").tobytes())
for t in ("u2", "i4", "f4", "f8", "i8"):
    a = (np.sin(np.arange(300)) * 90).astype("<" + t)
    row(f"pcodec {t}", "pcodec", names[t], [300], ic.pcodec_encode(a, level=8), a.tobytes())

wide = (np.add.outer(np.arange(16) * 1021, np.arange(24) * 2039) % 65536).astype("u2")
small = grey[::2, ::2]
wide_rgb = np.stack([wide, wide[::-1], 65535 - wide], -1)[::2, ::2]
xl = lambda a, **more: ic.jpegxl_encode(np.ascontiguousarray(a), lossless=True, effort=3, **more)
for name, a in {
    "grey": grey, "rgb": rgb, "rgb and one more": cmyk, "grey and one more": cmyk[..., 2:], "u16": wide, "rgb u16": wide_rgb,
    "f32": (small / 255 - 0.25).astype("<f4"), "f16": (small / 255 - 0.25).astype("<f2"),
}.items():
    row(f"jpegxl {name}", f"jpegxl {a.shape[2] if a.ndim == 3 else 1}", names[a.dtype.str[1:]], a.shape, xl(a), a.tobytes())
planes = np.stack([small, small[::-1], small[:, ::-1], 255 - small, small // 2])
row("jpegxl grey and four more", "jpegxl 5", "u8", [8, 12, 5], xl(planes, planar=True, photometric="minisblack"), np.moveaxis(planes, 0, -1).tobytes())
row("jpegxl 12 bits", "jpegxl 1", "u16", [16, 24], xl(wide >> 4, bitspersample=12), (wide >> 4).tobytes())
row("jpegxl in a container", "jpegxl 3", "u8", [16, 24, 3], xl(rgb, usecontainer=True), rgb.tobytes())
row("jpegxl, a short strip", "jpegxl 3", "u8", [10, 24, 3], xl(rgb), rgb[:10].tobytes())
row("jpegxl with more, a short strip", "jpegxl 4", "u8", [10, 24, 4], xl(cmyk), cmyk[:10].tobytes())
for name, a in {"grey": grey, "rgb": rgb, "rgb and one more": cmyk}.items():
    e = ic.jpegxl_encode(np.ascontiguousarray(a), lossless=False, distance=1.0)
    row(f"jpegxl lossy {name}", f"jpegxl {a.shape[2] if a.ndim == 3 else 1}", "u8", a.shape, e, ic.jpegxl_decode(e).tobytes())

two = lambda a, **more: ic.jpeg2k_encode(np.ascontiguousarray(a), level=0, **{"codecformat": "j2k", "reversible": True, **more})
signed = (wide.astype("i4") - 32768).astype("<i2")
for name, a, more in [
    ("grey", grey, {}), ("rgb", rgb, {}), ("rgb without its transform", rgb, {"mct": False}), ("rgb in boxes", rgb, {"codecformat": "jp2"}), ("grey and one more", cmyk[..., 2:], {}),
    ("rgb and one more", cmyk, {}), ("rgb and one more in boxes", cmyk, {"codecformat": "jp2"}), ("five", np.moveaxis(planes, 0, -1), {}), ("u16", wide, {}), ("12 bits", wide >> 4, {"bitspersample": 12}),
    ("rgb u16", wide_rgb, {}), ("i8", (grey.astype("i2") - 128).astype("i1"), {}), ("i16", signed, {}), ("rgb i16", np.stack([signed, -1 - signed, signed // 2], -1)[::2, ::2], {}),
    ("20 bits", wide.astype("<u4") * 15, {"bitspersample": 20}), ("one resolution", grey, {"resolutions": 1}),
]:
    e = two(a, **more)
    assert np.array_equal(ic.jpeg2k_decode(e), a), name
    row(f"jpeg2000 {name}", f"jpeg2000 {a.shape[2] if a.ndim == 3 else 1}", names[a.dtype.str[1:]], a.shape, e, a.tobytes())
row("jpeg2000, a short strip", "jpeg2000 3", "u8", [10, 24, 3], two(rgb), rgb[:10].tobytes())
for name, a in {"grey": grey, "rgb": rgb, "rgb and one more": cmyk}.items():
    e = ic.jpeg2k_encode(np.ascontiguousarray(a), level=45, reversible=False, codecformat="j2k")
    row(f"jpeg2000 lossy {name}", f"jpeg2000 {a.shape[2] if a.ndim == 3 else 1}", "u8", a.shape, e, ic.jpeg2k_decode(e).tobytes())

import rasterio, warnings
from rasterio.io import MemoryFile
from rasterio.shutil import copy
warnings.simplefilter("ignore")
def gdal_two(a, **more):
    with MemoryFile() as m, MemoryFile(ext=".j2k") as out:
        with m.open(driver="GTiff", height=a.shape[0], width=a.shape[1], count=1, dtype=a.dtype.name) as d: d.write(a[None])
        with m.open() as d: copy(d, out.name, driver="JP2OpenJPEG", CODEC="J2K", QUALITY="100", REVERSIBLE="YES", **more)
        return out.read()
for name, more in {
    "inner tiles": {"BLOCKXSIZE": "32", "BLOCKYSIZE": "32"},
    "inner tiles, all markers": {"BLOCKXSIZE": "32", "BLOCKYSIZE": "32", "PROGRESSION": "RPCL", "SOP": "YES", "EPH": "YES", "PLT": "YES", "TLM": "YES"},
    "precincts": {"PRECINCTS": "{16,16},{8,8}", "PROGRESSION": "PCRL"}, "small blocks": {"CODEBLOCK_WIDTH": "4", "CODEBLOCK_HEIGHT": "8"},
    "all styles": {"CODEBLOCK_STYLE": "RESTART,TERMALL,VSC,SEGSYM,BYPASS", "PROGRESSION": "CPRL"},
}.items():
    a = np.tile(grey, (3, 2))[:40, :48]
    e = gdal_two(a, **more)
    assert np.array_equal(ic.jpeg2k_decode(e), a), name
    row(f"jpeg2000 {name}", "jpeg2000 1", "u8", a.shape, e, a.tobytes())
e = ic.jpeg2k_encode(wide, level=60, reversible=False, codecformat="j2k")
row("jpeg2000 lossy u16", "jpeg2000 1", "u16", wide.shape, e, ic.jpeg2k_decode(e).tobytes())

for name, a in {"grey": grey, "grey and one more": cmyk[..., 2:], "rgb": rgb, "rgb and one more": cmyk, "u16": wide, "rgb u16": wide_rgb}.items():
    row(f"png {name}", f"png {a.shape[2] if a.ndim == 3 else 1}", names[a.dtype.str[1:]], a.shape, ic.png_encode(np.ascontiguousarray(a)), a.tobytes())
row("png, a short strip", "png 3", "u8", [10, 24, 3], ic.png_encode(rgb), rgb[:10].tobytes())
# Bilevel, through libtiff in GDAL.
import io, rasterio, tifffile
from rasterio.io import MemoryFile
def fax(array, name):
    with MemoryFile() as memory:
        profile = dict(driver="GTiff", height=array.shape[0], width=array.shape[1], count=1, dtype="uint8", nbits=1, compress=name, photometric="miniswhite")
        with memory.open(**profile, blockysize=array.shape[0]) as dst:
            dst.write(array, 1)
        data = memory.read()
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    return data[page.dataoffsets[0] : page.dataoffsets[0] + page.databytecounts[0]]
y, x = np.mgrid[0:9, 0:77]
bilevel = ((x * x + 5 * y * y) // 60 % 3 == 0).astype("u1")
long = (np.mgrid[0:2, 0:2700][1] > np.array([[2690], [70]])).astype("u1")
for name in ("CCITTRLE", "CCITTFAX3", "CCITTFAX4"):
    row(f"{name.lower()}", name.lower(), "u8", [9, 77], fax(bilevel, name), bilevel.tobytes())
row("ccittfax4 of long runs", "ccittfax4", "u8", [2, 2700], fax(long, "CCITTFAX4"), long.tobytes())
for t, shape in (("f4", (13,)), ("f8", (5, 6)), ("f4", (5, 6, 7)), ("f8", (2, 3, 5, 4)), ("i4", (9, 5)), ("i8", (4, 5, 3))):
    a = (np.sin(np.arange(np.prod(shape)) / 3) * 900).reshape(shape).astype("<" + t)
    a.flat[:5] = 0
    for mode, level in (("fixed_rate", 12), ("fixed_precision", 20), ("fixed_accuracy", 0.01), ("reversible", None)):
        if t[0] == "i" and mode == "fixed_accuracy":
            continue
        e = ic.zfp_encode(a, level, mode=ic.ZFP.MODE[mode.upper()])
        row(f"zfpy {mode} {t} {len(shape)}", "zfpy", names[t], shape, e, ic.zfp_decode(e).tobytes())
