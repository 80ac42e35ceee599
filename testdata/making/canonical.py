"""Canonical bytes: what `swath read -o OUT.bin` writes, computed by the libraries that wrote the files.

TIFF: (band, y, x) in C order, little-endian; 1 to 8 bits as u8, 9 to 16 as u16, f16 kept, complex integers as (re, im) pairs along x;
a volumetric page is (band, z, y, x). Zarr: C order, little-endian, bool as u8, fixed text as UCS-4, variable text as u32 length + UTF-8.
"""

import zlib

import numpy as np
import rasterio
import tifffile


def canonical(array):
    """(array of numbers, its bytes) in C order and little-endian."""
    array = np.asarray(array)
    if array.dtype == bool:
        array = array.view(np.uint8)
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    return array, array.tobytes()


def record(array, dtype=None):
    array, data = canonical(array)
    return {"shape": list(array.shape), "dtype": dtype or array.dtype.str.lstrip("<|"), "bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}


def texts(values, shape):
    """Variable-length text: each element is its length as u32 and its UTF-8."""
    data = b"".join(len(t.encode()).to_bytes(4, "little") + t.encode() for t in values)
    return {"shape": list(shape), "dtype": "text", "bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}


def lossy(array, tolerance):
    """For codecs whose decoders differ: sampled pixels instead of a checksum."""
    out = record(array)
    del out["crc32"]
    rng = np.random.default_rng(7)
    at = sorted({tuple(int(rng.integers(n)) for n in array.shape) for _ in range(48)})
    out["tolerance"] = tolerance
    out["pixels"] = [[list(i), int(array[i])] for i in at]
    return out


def page_array(page):
    """One directory as (band, y, x) or (band, z, y, x), by tifffile."""
    array = page.asarray()
    axes = page.axes  # such as YX, YXS, SYX, ZYX
    if "S" in axes:
        array = np.moveaxis(array, axes.index("S"), 0)
    else:
        array = array[None]
    if array.dtype == bool:
        array = array.view(np.uint8)
    return array


def tiff_pages(path):
    """[(ifd, page)] of the chain, sub-IFDs as `0.1`."""
    out = []
    with tifffile.TiffFile(path) as tif:
        for number, page in enumerate(tif.pages):
            page = page.aspage() if hasattr(page, "aspage") else page
            out.append((str(number), page_array(page)))
            for sub, inner in enumerate(page.pages or []):
                out.append((f"{number}.{sub}", page_array(inner.aspage() if hasattr(inner, "aspage") else inner)))
    return out


def gdal_array(path):
    with rasterio.open(path) as src:
        array = src.read()
    if array.dtype.kind == "c" and "int16" in str(src.dtypes[0]):
        return complex_pairs(array)
    return array


def complex_pairs(array, dtype=np.int16):
    pairs = np.stack([array.real, array.imag], -1).astype(dtype)
    return pairs.reshape(*array.shape[:-1], array.shape[-1] * 2)
