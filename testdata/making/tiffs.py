"""The TIFF fixtures: GDAL and tifffile as writers, one small file a layout."""

import struct

import imagecodecs
import numpy as np
import rasterio
import tifffile
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import from_origin

from . import ground
from .canonical import canonical, complex_pairs, gdal_array, lossy, record, tiff_pages

H, W = 37, 53  # no multiple of any block below


def sample(dtype, bands=1, bits=None, seed=1):
    """Smooth ground with a little noise that fills the range of the type: (band, y, x)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:H, 0:W]
    planes = []
    for band in range(bands):
        plane = 0.5 + 0.3 * np.sin(y / 9 + band) * np.cos(x / 11 - band) + 0.1 * (y + x) / (H + W) + 0.02 * rng.random((H, W))
        planes.append(plane)
    unit = np.clip(np.stack(planes), 0, 1)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return (unit * 1000 - 250).astype(dtype)
    if dtype.kind == "c":
        return ((unit * 100) + 1j * (50 - unit * 70)).astype(dtype)
    if bits:
        return np.floor(unit * (2**bits - 1)).astype(dtype)
    info = np.iinfo(dtype)
    span = min(info.max, 2**40) - max(info.min, -(2**40))
    return (np.floor(unit * span * 0.98) + max(info.min, -(2**40))).astype(dtype)


def write(path, array, geo=True, mask=None, environment=None, tags=None, **options):
    """Through GDAL's GTiff driver."""
    dtype = options.pop("dtype", array.dtype.name)
    profile = dict(driver="GTiff", height=array.shape[1], width=array.shape[2], count=array.shape[0], dtype=dtype)
    if geo:
        profile.update(crs="EPSG:32632", transform=from_origin(600000, 5300000, 10, 10))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, **(environment or {})):
        with rasterio.open(path, "w", **profile, **options) as dst:
            dst.write(array)
            if mask is not None:
                dst.write_mask(mask)
            if tags:
                dst.update_tags(**tags)


def write_cog(path, array, transform, crs, nodata=None, descriptions=None, tags=None, mask=None, **options):
    """Through GDAL's COG driver: directories first, the ghost area, overviews."""
    profile = dict(driver="GTiff", height=array.shape[1], width=array.shape[2], count=array.shape[0], dtype=array.dtype.name, crs=crs, transform=transform, nodata=nodata)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(**profile) as dst:
            dst.write(array)
            if mask is not None:
                dst.write_mask(mask)
            for band, text in enumerate(descriptions or [], 1):
                dst.set_band_description(band, text)
            dst.update_tags(**(tags or {}))
        with memory.open() as src:
            copy(src, path, driver="COG", **options)


def shown(out):
    """What people look at, and README's first command reads."""
    heights = ground.terrain(512)
    array = (np.round(heights * 4) / 4).astype(np.float32)
    y, x = np.mgrid[0:512, 0:512]
    array[(x + 0.18 * y) < 46] = -9999  # outside of the survey
    array[(x - 0.12 * y) > 486] = -9999
    write_cog(out / "terrain.tif", array[None], from_origin(612000, 5268000, 30, 30), "EPSG:32632", nodata=-9999.0,
              COMPRESS="DEFLATE", PREDICTOR="3", LEVEL="9", BLOCKSIZE="256", OVERVIEW_RESAMPLING="AVERAGE")
    array = np.clip(np.round(ground.scene(1024) / 50) * 50 + 1000, 1001, 16000).astype(np.uint16)
    write_cog(out / "scene.tif", array, from_origin(600000, 5300040, 10, 10), "EPSG:32632", nodata=0, descriptions=["red", "green", "blue", "nir"],
              tags={"SCALE": "0.0001", "OFFSET": "-0.1"}, COMPRESS="DEFLATE", PREDICTOR="2", LEVEL="9", BLOCKSIZE="256", OVERVIEW_RESAMPLING="NEAREST")


def gdal_fixtures(out):
    """name -> tolerance of the lossy ones, None for the exact."""
    lossy_ones = {}
    tiles = dict(tiled=True, blockxsize=16, blockysize=16)
    put = lambda name, array, **options: write(out / f"{name}.tif", array, **options)
    u16, f32, rgb = sample("uint16"), sample("float32"), sample("uint8", 3)

    put("strips_u8_none", sample("uint8"), blockysize=8)
    put("strips_u16_lzw_p2", u16, blockysize=5, compress="LZW", predictor=2)
    put("strips_u8_packbits", sample("uint8", bits=3), blockysize=8, compress="PACKBITS")
    put("strips_one_u16", u16, blockysize=H)
    put("tiles_u16_none", u16, **tiles)
    put("tiles_u16_none_be", u16, ENDIANNESS="BIG", **tiles)
    put("tiles_u16_deflate", u16, compress="DEFLATE", **tiles)
    put("tiles_u16_deflate_p2", u16, compress="DEFLATE", predictor=2, **tiles)
    put("tiles_u16_deflate_p2_be", u16, compress="DEFLATE", predictor=2, ENDIANNESS="BIG", **tiles)
    put("tiles_u16_lzw", u16, compress="LZW", **tiles)
    put("tiles_u16_zstd_p2", u16, compress="ZSTD", predictor=2, **tiles)
    put("tiles_u16_lzma", u16, compress="LZMA", **tiles)
    put("tiles_u16_bigtiff", u16, BIGTIFF="YES", compress="DEFLATE", **tiles)
    put("tiles_u16_bigtiff_be", u16, BIGTIFF="YES", ENDIANNESS="BIG", compress="ZSTD", predictor=2, **tiles)
    put("tiles_u16_tall", u16, tiled=True, blockxsize=16, blockysize=64)
    put("tiles_f32_deflate_p3", f32, compress="DEFLATE", predictor=3, **tiles)
    put("tiles_f32_deflate_p2", f32, compress="DEFLATE", predictor=2, **tiles)
    put("tiles_f32_zstd_p3_be", f32, compress="ZSTD", predictor=3, ENDIANNESS="BIG", **tiles)
    put("tiles_f64_lzw_p3", sample("float64"), compress="LZW", predictor=3, **tiles)
    put("tiles_f32_lerc", f32, compress="LERC", **tiles)
    put("tiles_f32_lerc_deflate", f32, compress="LERC_DEFLATE", **tiles)
    put("tiles_u16_lerc_zstd", u16, compress="LERC_ZSTD", MAX_Z_ERROR=2, **tiles)
    holes = f32.copy()
    holes[0, 5:20, 10:30] = np.nan
    put("tiles_f32_lerc_nan", holes, nodata=np.nan, compress="LERC", **tiles)
    for name in ["int8", "int16", "uint32", "int32", "uint64", "int64", "float64", "complex64", "complex128"]:
        put(f"tiles_{name}", sample(name), compress="DEFLATE", **tiles)
    put("tiles_complex_int16", np.round(sample("complex64").real) + 1j * np.round(sample("complex64").imag), dtype="complex_int16", compress="LZW", **tiles)
    put("tiles_f16", f32.astype(np.float16).astype(np.float32), NBITS=16, compress="DEFLATE", **tiles)
    put("tiles_f16_p3", f32.astype(np.float16).astype(np.float32), NBITS=16, compress="DEFLATE", predictor=3, **tiles)
    put("tiles_f24", (np.round(f32 * 16) / 16).astype(np.float32), NBITS=24, compress="DEFLATE", **tiles)
    for bits in (1, 2, 4, 7):
        put(f"bits_{bits}", sample("uint8", bits=bits), NBITS=bits, compress="DEFLATE", **tiles)
    for bits in (10, 12):
        put(f"bits_{bits}_strips", sample("uint16", bits=bits), NBITS=bits, blockysize=8)
    bilevel = (sample("uint8") > 130).astype(np.uint8)
    put("fax_rle", bilevel, NBITS=1, blockysize=8, compress="CCITTRLE")
    put("fax_group3", bilevel, NBITS=1, blockysize=8, compress="CCITTFAX3")
    put("fax_group4", bilevel, NBITS=1, compress="CCITTFAX4", photometric="MINISWHITE", **tiles)
    put("fax_group4_bands", np.concatenate([bilevel, 1 - bilevel]), NBITS=1, blockysize=H, compress="CCITTFAX4", interleave="band")
    put("bits_4_rgb", sample("uint8", 3, bits=4), NBITS=4, compress="LZW", blockysize=8)
    put("rgb_pixel_deflate_p2", rgb, compress="DEFLATE", predictor=2, interleave="pixel", photometric="RGB", **tiles)
    put("rgb_band_zstd_p2", rgb, compress="ZSTD", predictor=2, interleave="band", photometric="RGB", **tiles)
    put("rgb_pixel_strips", rgb, interleave="pixel", photometric="RGB", blockysize=6)
    put("bands_5_u16_pixel", sample("uint16", 5), compress="ZSTD", predictor=2, interleave="pixel", **tiles)
    put("rgb_jpeg_ycbcr", rgb, compress="JPEG", photometric="YCBCR", JPEG_QUALITY=92, **tiles)
    put("rgb_jpeg", rgb, compress="JPEG", photometric="RGB", JPEG_QUALITY=92, **tiles)
    put("grey_jpeg", rgb[:1], compress="JPEG", JPEG_QUALITY=92, **tiles)
    put("rgb_webp", rgb, compress="WEBP", WEBP_LEVEL=90, **tiles)
    put("rgb_webp_lossless", rgb, compress="WEBP", WEBP_LOSSLESS="YES", **tiles)
    put("rgba_webp_lossless", np.concatenate([rgb, sample("uint8", seed=5)]), compress="WEBP", WEBP_LOSSLESS="YES", photometric="RGB", ALPHA="UNSPECIFIED", **tiles)
    lossy_ones.update(rgb_jpeg_ycbcr=24, rgb_jpeg=3, grey_jpeg=3, rgb_webp=8)

    y, x = np.mgrid[0:H, 0:W]
    mask = ((y - 18) ** 2 + (x - 26) ** 2 < 300).astype(np.uint8) * 255
    put("mask_internal", rgb, mask=mask, compress="DEFLATE", photometric="RGB", **tiles)
    sparse = np.full((1, 64, 64), 7, np.uint16)
    sparse[0, 16:32, 32:48] = np.arange(256).reshape(16, 16)
    put("sparse_nodata", sparse, nodata=7, SPARSE_OK="TRUE", compress="DEFLATE", **tiles)
    put("geo_none", u16, geo=False, **tiles)
    rotated = rasterio.Affine(8, 3, 500000, 3, -8, 4600000)
    put("geo_rotated", u16, geo=False, crs="EPSG:3035", transform=rotated, **tiles)
    put("geo_point", u16, tags={"AREA_OR_POINT": "Point"}, **tiles)
    put("geo_degrees", u16, geo=False, crs="EPSG:4326", transform=from_origin(7.5, 47.25, 0.01, 0.01), **tiles)
    with rasterio.open(out / "metadata_scale_offset.tif", "w", driver="GTiff", height=H, width=W, count=2, dtype="int16", nodata=-32768, **tiles) as dst:
        dst.write(sample("int16", 2))
        dst.scales, dst.offsets = (0.01, 0.5), (273.15, -3)
        dst.set_band_description(1, "temperature & <wind>")
        dst.units = ("K", "m/s")
        dst.update_tags(TITLE="ünï")

    big = np.clip(np.arange(256 * 256).reshape(1, 256, 256) // 37 + (y.sum() % 7), 0, 65535).astype(np.uint16)
    at = dict(transform=from_origin(600000, 5300000, 10, 10), crs="EPSG:32632")
    write_cog(out / "cog_overviews.tif", big, **at, COMPRESS="DEFLATE", PREDICTOR="YES", BLOCKSIZE="128", OVERVIEW_COUNT="2", OVERVIEWS="IGNORE_EXISTING")
    large = lambda planes: np.tile(planes, (1, 4, 4))[:, :144, :208]
    write_cog(out / "cog_mask_overviews.tif", large(rgb), **at, mask=large(mask[None])[0], COMPRESS="ZSTD", PREDICTOR="YES", BLOCKSIZE="128", OVERVIEW_COUNT="1")
    write_cog(out / "cog_rgba_webp.tif", large(np.concatenate([rgb, mask[None]])), **at, COMPRESS="WEBP", QUALITY="100", ADD_ALPHA="NO", BLOCKSIZE="128", OVERVIEW_COUNT="1")
    long = {f"NOTE_{i:03}": "far behind the first kilobytes " * 8 for i in range(320)}
    write_cog(out / "cog_long_header.tif", big[:, :128, :128], **at, tags=long, COMPRESS="ZSTD", BLOCKSIZE="128")
    write_cog(out / "cog_many_tiles.tif", np.tile(np.arange(64, dtype=np.uint8), (1, 640, 20)), **at, COMPRESS="ZSTD", BLOCKSIZE="128", OVERVIEWS="NONE")
    # 183 x 183 tiles of 16 pixels: the table is 330 KB, more than is read at first.
    wide = np.zeros((1, 2928, 2928), np.uint8)
    wide[0, 1152:1168, 640:656] = 200
    wide[0, 2912:, 2896:] = 100
    put("table_large", wide, SPARSE_OK="TRUE", compress="DEFLATE", BIGTIFF="YES", **tiles)
    return lossy_ones


def tifffile_fixtures(out):
    options = dict(metadata=None, software=False)
    put = lambda name, array, tile=(16, 16), order="<", big=False, **more: tifffile.imwrite(
        out / f"tf_{name}.tif", array, tile=tile, byteorder=order, bigtiff=big, **options, **more)
    u16, f32, rgb = sample("uint16")[0], sample("float32")[0], sample("uint8", 3)
    put("bool", sample("uint8", bits=1)[0].astype(bool), tile=None, rowsperstrip=8)
    put("f16_be", f32.astype(np.float16), order=">")
    put("f16_p3", f32.astype(np.float16), compression="zlib", predictor=3)
    put("f64_p3_be_bigtiff", f32.astype(np.float64), order=">", big=True, compression="zlib", predictor=3)
    put("u16_packbits", u16, compression="packbits")
    put("u16_lzw_p2_strips", u16, tile=None, rowsperstrip=5, compression="lzw", predictor=2)
    put("u16_deflate_old_code", u16, compression="deflate")
    put("u16_zstd_p2_be", u16, order=">", compression="zstd", predictor=2)
    put("u16_lzma", u16, compression="lzma")
    put("u16_lerc", u16, compression="lerc")
    put("rgb_separate_p2", rgb, photometric="rgb", planarconfig="separate", compression="zlib", predictor=2)
    put("palette", sample("uint8", bits=4)[0], photometric="palette", colormap=(np.arange(768).reshape(3, 256) * 85).astype(np.uint16))
    put("u16_jpeg_12", sample("uint16", bits=12)[0], compression="jpeg", compressionargs={"level": 92}, bitspersample=12)
    deep = np.ascontiguousarray(np.moveaxis(sample("uint16", 3, bits=12), 0, -1))
    put("rgb_jpeg_12", deep, tile=(32, 48), photometric="rgb", compression="jpeg", compressionargs={"level": 85}, subsampling=(2, 2), bitspersample=12)
    put("u8_jpeg_lossless", sample("uint8", bits=5)[0], compression="jpeg", compressionargs={"lossless": True, "predictor": 6})
    volume = np.stack([u16[:20, :24] + 100 * z for z in range(18)])
    put("volume", volume, tile=(16, 16, 16), volumetric=True, compression="zlib")
    with tifffile.TiffWriter(out / "tf_subifds.tif") as tif:
        tif.write(u16, tile=(16, 16), subifds=2, compression="zlib", predictor=2, **options)
        tif.write(np.ascontiguousarray(u16[::2, ::2]), tile=(16, 16), subfiletype=1, compression="zlib", predictor=2, **options)
        tif.write(np.ascontiguousarray(u16[::4, ::4]), tile=(16, 16), subfiletype=1, compression="zlib", predictor=2, **options)
    with tifffile.TiffWriter(out / "tf_pages.tif") as tif:
        for page in (sample("uint8")[0], u16, np.ascontiguousarray(np.moveaxis(rgb, 0, -1))):
            tif.write(page, photometric="rgb" if page.ndim == 3 else "minisblack", compression="zlib", contiguous=False, **options)


def streams(out):
    """Lossy tiles of 256 x 256 for the benchmark, whose library has no encoder for them."""
    red = ground.scene(1024)[0, :256, :256]
    tile = np.clip(red / 12, 0, 255).astype(np.uint8)
    (out / "scene.jxl").write_bytes(imagecodecs.jpegxl_encode(tile, lossless=False, distance=6))
    (out / "scene.j2k").write_bytes(imagecodecs.jpeg2k_encode(tile, level=36, reversible=False, codecformat="j2k"))


# GDAL's wheels are built without their codecs.
BY_TIFFFILE_ALONE = ("jxl_", "jpeg2000_", "png_")
# GDAL reads these otherwise, or not at all.
BY_TIFFFILE_TOO = ("volume", "tf_pages", "_jpeg_12", "_jpeg_lossless")


def image_fixtures(out):
    """Compressions whose tiles are images in themselves."""
    put = lambda name, array, code, tile=(32, 64), **more: tifffile.imwrite(out / f"{name}.tif", array, tile=tile, compression=code, metadata=None, software=False, **more)
    pixels = lambda array: np.ascontiguousarray(np.moveaxis(array, 0, -1))
    u16, rgb = sample("uint16")[0] >> 5, sample("uint8", 3) >> 2
    four = np.concatenate([rgb, sample("uint8", seed=5) >> 2])[:, :20, :40]
    lossless = dict(compressionargs=dict(lossless=True, effort=3))
    put("jxl_u16", u16, 50002, **lossless)
    put("jxl_rgb_strips", pixels(rgb), 52546, tile=None, rowsperstrip=16, photometric="rgb", **lossless)
    put("jxl_four", pixels(four), 50002, photometric="rgb", extrasamples=["unspecified"], **lossless)
    put("jxl_planes", rgb[:, :20, :40], 50002, photometric="rgb", planarconfig="separate", **lossless)
    put("jxl_f32", np.round(sample("float32")[0][:16, :24]) / 1024, 50002, tile=(16, 32), **lossless)
    put("jxl_lossy", pixels(rgb), 50002, photometric="rgb", compressionargs=dict(lossless=False, distance=0.5))
    reversible = dict(compressionargs=dict(level=0, reversible=True))
    put("jpeg2000_u16", u16[:20], 34712, **reversible)
    put("jpeg2000_i16_be", u16[:20].astype("i2") - 1000, 34712, byteorder=">", **reversible)
    put("jpeg2000_rgb_aperio", pixels(rgb[:, :20]), 33005, photometric="rgb", **reversible)
    put("jpeg2000_lossy", pixels(rgb), 33004, photometric="rgb", compressionargs=dict(level=40, reversible=False))
    put("png_rgb", pixels(rgb[:, :20]), 34933, photometric="rgb")
    put("png_u16", u16[:20] >> 3, 34933)
    return dict(jxl_lossy=8, jpeg2000_lossy=3)


def old_style_jpeg(path):
    """Strips of entropy-coded data by libjpeg-turbo, tables by tags: no writer in use makes these any more."""
    pixels, rows = np.ascontiguousarray(np.moveaxis(sample("uint8", 3), 0, -1)), 16
    tables, strips = {0xDB: [], 0xC4: []}, []
    for y in range(0, H, rows):
        stream = imagecodecs.jpeg8_encode(pixels[y : y + rows], level=80, colorspace="rgb", outcolorspace="ycbcr", subsampling="420")
        at = 2
        while stream[at + 1] != 0xDA:
            size = int.from_bytes(stream[at + 2 : at + 4], "big")
            if y == 0 and stream[at + 1] in tables:
                tables[stream[at + 1]].append(stream[at + 5 : at + 2 + size])
            at += 2 + size
        strips.append(stream[at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big") : -2])
    (luma, chroma), (luma_dc, luma_ac, chroma_dc, chroma_ac) = tables[0xDB], tables[0xC4]
    blobs = [luma, chroma, luma_dc, chroma_dc, luma_ac, chroma_ac, *strips]
    starts, data = [], bytearray(8)
    for blob in blobs:
        starts.append(len(data))
        data += blob + bytes(len(blob) % 2)
    q, dc, ac = ([starts[i], starts[i + 1], starts[i + 1]] for i in (0, 2, 4))
    tags = [
        (256, 4, [W]), (257, 4, [H]), (258, 3, [8, 8, 8]), (259, 3, [6]), (262, 3, [6]), (273, 4, starts[6:]), (277, 3, [3]), (278, 4, [rows]),
        (279, 4, [len(s) for s in strips]), (512, 3, [1]), (519, 4, q), (520, 4, dc), (521, 4, ac), (530, 3, [2, 2]), (532, 5, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1]),
    ]
    entries = b""
    for tag, kind, values in tags:
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            place, packed = struct.pack("<I", len(data)), data.extend(packed)
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(values) // (2 if kind == 5 else 1)) + place
    directory = len(data)
    data[:8] = struct.pack("<2sHI", b"II", 42, directory)
    path.write_bytes(bytes(data) + struct.pack("<H", len(tags)) + entries + bytes(4))


def expected(path, name, lossy_ones):
    """Every directory of one file, and a second opinion on the first by GDAL."""
    found, stem = {}, path.stem
    if stem == "old_style_jpeg":  # GDAL alone reads it
        return {"0": lossy(gdal_array(path), 2)}
    for ifd, array in tiff_pages(path):
        if stem in lossy_ones:
            found[ifd] = lossy(array, lossy_ones[stem])
            continue
        if ifd == "0" and not stem.startswith(BY_TIFFFILE_ALONE) and not stem.endswith(BY_TIFFFILE_TOO):
            second = gdal_array(path)
            if stem in ("tiles_complex_int16", "sparse_nodata", "tiles_f24", "tiles_f32_lerc_nan"):
                array = second  # tifffile reads complex integers as records, and gaps as zeros or another NaN
            elif not stem.startswith(("tf_f16", "tiles_f16", "bits", "fax", "tf_bool")):
                assert canonical(array)[1] == canonical(second)[1], f"{name}: tifffile and GDAL differ"
            else:
                assert np.array_equal(array.astype(np.float64), second.astype(np.float64), equal_nan=True), f"{name}: tifffile and GDAL differ"
        found[ifd] = record(array)
    return found


def make(out):
    shown(out)
    (out / "streams").mkdir()
    streams(out / "streams")
    folder = out / "tiff"
    folder.mkdir()
    lossy_ones = gdal_fixtures(folder)
    tifffile_fixtures(folder)
    lossy_ones.update(image_fixtures(folder))
    old_style_jpeg(folder / "old_style_jpeg.tif")
    names = ["terrain.tif", "scene.tif"] + sorted(f"tiff/{p.name}" for p in folder.glob("*.tif"))
    return {name: expected(out / name, name, lossy_ones) for name in names}
