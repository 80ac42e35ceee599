"""TIFFs with sidecars: overviews, masks and metadata in files of their own, by GDAL."""

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from .canonical import record, tiff_pages

H, W = 61, 83


def image(path, bands=1, mask=None, tell=None, **options):
    y, x = np.mgrid[0:H, 0:W]
    array = np.stack([(40 * band + 2 * y + x // 3) % 251 for band in range(bands)]).astype(np.uint8)
    profile = dict(driver="GTiff", height=H, width=W, count=bands, dtype="uint8", compress="DEFLATE", **options)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "w", **profile) as dst:
        dst.write(array)
        if mask is not None:
            dst.write_mask(mask)
        if tell:
            tell(dst)


def overviews(path, factors):
    options = dict(TIFF_USE_OVR=True, COMPRESS_OVERVIEW="DEFLATE", GDAL_TIFF_OVR_BLOCKSIZE="64")
    with rasterio.Env(**options), rasterio.open(path, "r+") as dst:
        dst.build_overviews(factors, Resampling.nearest)


def make(out):
    folder = out / "beside"
    folder.mkdir()
    geo = dict(crs="EPSG:32632", transform=from_origin(600000, 5300000, 10, 10))
    image(folder / "overviews.tif", bands=3, **geo)
    overviews(folder / "overviews.tif", [2, 4])

    y, x = np.mgrid[0:H, 0:W]
    image(folder / "mask.tif", mask=np.where(x > y, 255, 0).astype(np.uint8), **geo)
    overviews(folder / "mask.tif", [2, 4])

    coefficients = {name: " ".join(str(n / 8 + k) for n in range(20)) for k, name in enumerate(["LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF"])}
    offsets = dict(LINE_OFF="30.5", SAMP_OFF="41.5", LAT_OFF="47.25", LONG_OFF="9.5", HEIGHT_OFF="400")
    scales = dict(LINE_SCALE="31", SAMP_SCALE="42", LAT_SCALE="0.125", LONG_SCALE="0.25", HEIGHT_SCALE="500")
    rpc = dict(ERR_BIAS="1.5", ERR_RAND="0.5", **offsets, **scales, **coefficients)

    def metadata(dst):
        dst.nodata, dst.descriptions, dst.units = 7, ("red", "depth"), ("", "m")
        dst.scales, dst.offsets = (1.0, 0.5), (0.0, -3.0)
        dst.update_tags(TITLE="a < b & c")
        dst.update_tags(2, STATISTICS_MINIMUM="1.5", STATISTICS_MAXIMUM="250")

    # A baseline file has no room for most of this.
    image(folder / "metadata.tif", bands=2, tell=metadata, profile="BASELINE", **geo)
    image(folder / "rpc.tif", tell=lambda dst: dst.update_tags(ns="RPC", **rpc))

    places = [(0.5, 0.5), (0.5, 80.5), (60.5, 0.5), (60.5, 80.5)]
    points = [GroundControlPoint(row=r, col=c, x=9 + c / 100, y=47 - r / 100, z=0) for r, c in places]
    for name in ["control_points", "control_points_beside"]:
        profile = "BASELINE" if name.endswith("beside") else "GeoTIFF"
        image(folder / f"{name}.tif", tell=lambda dst: setattr(dst, "gcps", (points, "EPSG:4326")), profile=profile)

    tiffs = sorted(p for p in folder.iterdir() if p.suffix != ".xml")
    return {f"beside/{p.name}": {ifd: record(array) for ifd, array in tiff_pages(p)} for p in tiffs}
