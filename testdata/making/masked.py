"""What GDAL calls valid, and the quantities that numbers stand for: fixtures of every way to say it, and MASKED.json."""

import json
import zlib

import numpy as np
import rasterio
import tifffile
from rasterio.enums import ColorInterp

from .tiffs import sample, write

H, W = 17, 19
TILES = dict(tiled=True, blockxsize=16, blockysize=16, compress="DEFLATE", geo=False)
# Of the other folders, those without losses that say something of validity, or nothing at all.
OTHERS = ["terrain.tif", "scene.tif", "tiff/mask_internal.tif", "tiff/cog_mask_overviews.tif", "tiff/sparse_nodata.tif", "tiff/metadata_scale_offset.tif",
          "tiff/rgba_webp_lossless.tif", "tiff/tiles_f32_lerc_nan.tif", "tiff/tiles_u16_lerc_zstd.tif", "tiff/bands_5_u16_pixel.tif", "tiff/bits_4_rgb.tif"]


def fixtures(out):
    def cut(dtype, bands=1):
        return np.ascontiguousarray(sample(dtype, bands)[:, 4 : 4 + H, 9 : 9 + W])

    def put(name, array, interp=None, **options):
        write(out / f"{name}.tif", array, **TILES, **options)
        if interp:
            with rasterio.open(out / f"{name}.tif", "r+") as dst:
                dst.colorinterp = interp

    y, x = np.mgrid[0:H, 0:W]
    alpha = np.where((y + x) % 7 < 2, 0, 200)
    mask = ((y * 3 + x) % 5 > 0).astype(np.uint8) * 255
    grey, grey16 = cut("uint8"), cut("uint16")
    put("grey_alpha", np.concatenate([grey, alpha[None].astype(np.uint8)]), ALPHA="YES", interleave="pixel")
    put("rgba_u16_planes", np.concatenate([cut("uint16", 3), alpha[None].astype(np.uint16) * 300]), photometric="RGB", ALPHA="PREMULTIPLIED", interleave="band")
    put("three_bands_alpha", np.concatenate([grey, grey, alpha[None].astype(np.uint8)]), photometric="MINISBLACK",
        interp=[ColorInterp.gray, ColorInterp.undefined, ColorInterp.alpha])
    put("alpha_i16", np.concatenate([grey, alpha[None]]).astype(np.int16), ALPHA="YES")
    put("nodata_alpha", np.concatenate([grey16, alpha[None].astype(np.uint16)]), ALPHA="YES", nodata=int(grey16[0, 4, 4]))
    put("mask_nodata", grey16, mask=mask, nodata=int(grey16[0, 4, 4]))
    put("mask_alpha", np.concatenate([grey, alpha[None].astype(np.uint8)]), ALPHA="YES", mask=mask)
    floats = cut("float32").round()
    floats[0, 3:6, 5:14] = np.nan
    put("nodata_nan", floats, nodata=np.nan)
    floats[0, 8:12, 10:] = -9999
    floats[0, 15, :4] = [np.inf, -np.inf, 0.0, -0.0]
    put("nodata_f32", floats, nodata=-9999)
    put("nodata_f64", floats.astype(np.float64), nodata=0.0)
    put("nodata_complex", (cut("complex64").real.round() + 3j).astype(np.complex64), nodata=float(cut("complex64").real.round()[0, 4, 4]))
    # Nodata that the type does not hold is none, and alpha counts.
    tifffile.imwrite(out / "nodata_no_u8.tif", np.stack([grey[0], alpha.astype(np.uint8)], -1), photometric="minisblack", planarconfig="contig",
                     extrasamples=["unassalpha"], compression="zlib", metadata=None, software=False, extratags=[(42113, 2, 4, "300", True)])
    # Scale and offset of each band, a tile that is not stored, and an overview that says nothing of either.
    bands = (cut("int16", 3) // 64).astype(np.int16)
    bands[:, :, 16:] = -32768
    bands[1, 2:4, :9] = -32768
    put("scales_sparse", bands, nodata=-32768, SPARSE_OK="TRUE", interleave="band")
    with rasterio.open(out / "scales_sparse.tif", "r+") as dst:
        dst.scales, dst.offsets = (0.01, 0.5, 1), (273.15, -3, 0)
    with rasterio.open(out / "scales_sparse.tif", "r+") as dst:
        dst.build_overviews([2], rasterio.enums.Resampling.nearest)


def crc(array):
    return f"{zlib.crc32(np.ascontiguousarray(array).tobytes()):08x}"


def expected(path):
    """By level: how many elements are not valid, the CRC-32 of the flags (a byte each), and that of the quantities as f64."""
    with rasterio.open(path) as src:
        factors = src.overviews(1)
        scales, offsets = (np.array(n).reshape(-1, 1, 1) for n in (src.scales, src.offsets))
    found = {}
    for level in range(1 + len(factors)):
        with rasterio.open(path, **({"overview_level": level - 1} if level else {})) as src:
            stored = src.read()
            # Other than to GDAL, not-a-number is never valid to Swath.
            valid = (src.read_masks() != 0) & ~np.isnan(stored)
        found[str(level)] = {"shape": list(valid.shape), "invalid": int((~valid).sum()), "valid": crc(valid)}
        if stored.dtype.kind != "c":
            found[str(level)]["scaled"] = crc(np.where(valid, stored.astype("<f8") * scales + offsets, np.nan))
    return found


def make(out):
    (out / "masked").mkdir()
    fixtures(out / "masked")
    names = sorted([*OTHERS, *(f"masked/{p.name}" for p in (out / "masked").glob("*.tif"))])
    lines = [f" {json.dumps(name)}: {json.dumps(expected(out / name))}" for name in names]
    (out / "MASKED.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
