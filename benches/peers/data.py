#!/usr/bin/env python3
"""Makes what `run` reads: data.py OUT --size N [--generator GENERATOR]

GENERATOR is the corpus' generate.py; without it images and a store of the same names and kinds are made here, of plainer ground. From
either come the files that the generator has none of: `more/`, a lossless LERC image and Zarr arrays of the elevations in chunks of 512.
What is there already is left as it is.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numcodecs
import numpy as np
import rasterio
import rasterio.shutil
import zarr
from rasterio.transform import Affine

COG = {"driver": "COG", "blocksize": 512, "overview_resampling": "AVERAGE", "num_threads": "ALL_CPUS"}
# Zarr arrays are squares of whole chunks, up to this size.
MOST = 8192


def noise(y, x, octave):
    """Numbers of 0 to 1 for places: a hash of integers."""
    h = x.astype(np.uint32)[None, :] * np.uint32(0x9E3779B1) ^ y.astype(np.uint32)[:, None] * np.uint32(0x85EBCA77) ^ np.uint32(octave * 0x61C88647 & 0xFFFFFFFF)
    h = (h ^ h >> np.uint32(15)) * np.uint32(0x2C1B3C6D)
    h = (h ^ h >> np.uint32(12)) * np.uint32(0x297A2D39)
    return ((h ^ h >> np.uint32(15)) >> np.uint32(8)).astype("f4") / np.float32(1 << 24)


def terrain(rows, size, seed):
    """Rows of heights of about 0 to 4000 metres: octaves of smooth noise, and a little of a sensor."""
    heights = np.zeros((len(rows), size), "f4")
    columns = np.arange(size)
    for octave, amplitude in ((512, 2000), (128, 900), (32, 300), (8, 60), (2, 10)):
        y, x = rows // octave, columns // octave
        fy, fx = ((rows % octave) / octave).astype("f4"), ((columns % octave) / octave).astype("f4")
        fy, fx = (fy * fy * (3 - 2 * fy))[:, None], (fx * fx * (3 - 2 * fx))[None, :]
        top = noise(y, x, octave + seed) * (1 - fx) + noise(y, x + 1, octave + seed) * fx
        bottom = noise(y + 1, x, octave + seed) * (1 - fx) + noise(y + 1, x + 1, octave + seed) * fx
        heights += np.float32(amplitude) * (top * (1 - fy) + bottom * fy)
    return heights + noise(rows, columns, 1 + seed) * np.float32(8)


def own(out, size):
    """What the generator of the corpus would make, as far as `run` reads it."""
    georeference = {"crs": "EPSG:32632", "transform": Affine(10, 0, 699960, 0, -10, 5300040)}
    profile = {"driver": "GTiff", "width": size, "height": size, "tiled": True, "blockxsize": 512, "blockysize": 512, "bigtiff": "IF_SAFER", **georeference}
    kinds = {
        "s2/b04": (1, "uint16", lambda n, _: n.astype("u2"), {
            "deflate_p2": {"compress": "DEFLATE", "predictor": "YES"},
            "zstd_p2": {"compress": "ZSTD", "predictor": "YES", "level": 9},
            "lzw_p2": {"compress": "LZW", "predictor": "YES"},
            "none": {"compress": "NONE"},
        }),
        "dem/dem": (1, "float32", lambda n, _: n, {
            "deflate_p3": {"compress": "DEFLATE", "predictor": "FLOATING_POINT"},
            "zstd_p3": {"compress": "ZSTD", "predictor": "FLOATING_POINT"},
            "lerc_001": {"compress": "LERC", "max_z_error": 0.01},
        }),
        "rgb/rgb": (3, "uint8", lambda n, band: (n / np.float32(18 + band)).clip(0, 255).astype("u1"), {"jpeg_ycbcr": {"compress": "JPEG", "quality": 85}}),
    }  # fmt: skip
    for prefix, (bands, dtype, convert, files) in kinds.items():
        if all((out / f"{prefix}_{name}.tif").exists() for name in files):
            continue
        (out / prefix).parent.mkdir(parents=True, exist_ok=True)
        plain = out / f"{prefix}.tmp.tif"
        with rasterio.open(plain, "w", count=bands, dtype=dtype, **({"photometric": "RGB"} if bands == 3 else {}), **profile) as image:
            for first in range(0, size, 512):
                heights = terrain(np.arange(first, min(size, first + 512)), size, 0)
                for band in range(bands):
                    image.write(convert(heights, band), band + 1, window=rasterio.windows.Window(0, first, *heights.shape[::-1]))
        for name, options in files.items():
            rasterio.shutil.copy(plain, out / f"{prefix}_{name}.tif", **COG, **options)
        plain.unlink()
    # A cube of days, in two stores.
    days = min(730, max(16, size // 8))
    shape = (days, 584, 284)
    chunks = (min(365, days), 284, 284)
    stores = [
        ("daymet/daymet-like.zarr", 2, {
            "tmax": {"chunks": chunks, "compressors": numcodecs.Blosc("lz4", 5, numcodecs.Blosc.SHUFFLE)},
            "tmin": {"chunks": chunks, "compressors": numcodecs.Zlib(6)},
            "prcp": {"chunks": chunks, "compressors": numcodecs.Blosc("zstd", 5, numcodecs.Blosc.BITSHUFFLE)},
        }),
        ("shard/daymet-like-v3.zarr", 3, {
            "tmax": {"chunks": (73, 64, 64), "shards": (365, 256, 256), "compressors": [zarr.codecs.ZstdCodec(level=3), zarr.codecs.Crc32cCodec()]},
        }),
    ]  # fmt: skip
    for folder, version, arrays in stores:
        if (out / folder).exists():
            continue
        group = zarr.open_group(out / f"{folder}.tmp", mode="w", zarr_format=version)
        for name, options in arrays.items():
            array = group.create_array(name, shape=shape, dtype="f4", fill_value=np.nan, **options)
            for first in range(0, days, 73):
                slab = np.stack([terrain(np.arange(584) + day, 284, day) for day in range(first, min(days, first + 73))])
                array[first : first + len(slab)] = np.round(slab / 100, 2)
        zarr.consolidate_metadata(group.store)
        (out / f"{folder}.tmp").rename(out / folder)


def generated(out, size, generator):
    """By the generator, one kind after the other, so that what is there is not made again."""
    for what, mark in (("s2", "s2/b04_none.tif"), ("dem", "dem/dem_lerc_deflate_01.tif"), ("rgb", "rgb/rgb_deflate_p2.tif"),
                       ("daymet", "daymet/daymet-like.zarr/.zmetadata"), ("shard", "shard/daymet-like-v3.zarr/prcp/zarr.json")):  # fmt: skip
        if not (out / mark).exists():
            subprocess.run([sys.executable, generator, out, "--size", str(size), "--what", what], check=True)


def more(out):
    """What is made of either."""
    (out / "more").mkdir(exist_ok=True)
    lerc = out / "more/b04_lerc.tif"
    if not lerc.exists():
        rasterio.shutil.copy(out / "s2/b04_none.tif", lerc.with_suffix(".tmp"), **COG, compress="LERC", max_z_error=0)
        lerc.with_suffix(".tmp").rename(lerc)
    store = out / "more/chunks.zarr"
    if store.exists():
        return
    from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

    with rasterio.open(out / "dem/dem_zstd_p3.tif") as image:
        side = min(MOST, image.width // 512 * 512)
        values = image.read(1, window=rasterio.windows.Window(0, 0, side, side))
    group = zarr.open_group(store.with_suffix(".tmp"), mode="w", zarr_format=3)
    kinds = {
        "none": {"compressors": None},
        "gzip": {"compressors": GzipCodec(level=5)},
        "zstd": {"compressors": ZstdCodec(level=3)},
        "blosc-lz4": {"compressors": BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")},
        "sharded": {"compressors": ZstdCodec(level=3), "chunks": (64, 64), "shards": (512, 512)},
    }
    for name, options in kinds.items():
        array = group.create_array(name, shape=values.shape, dtype="f4", **{"chunks": (512, 512), **options})
        array[...] = values
    zarr.consolidate_metadata(group.store)
    store.with_suffix(".tmp").rename(store)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=10980)
    parser.add_argument("--generator", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.generator:
        generated(options.out, options.size, options.generator)
    else:
        own(options.out, options.size)
    more(options.out)


if __name__ == "__main__":
    main()
