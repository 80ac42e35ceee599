"""TIFF fixtures of coordinate reference systems that have no code, and CRS.json with what pyproj says of each."""

import json
import math

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin

from .canonical import record, tiff_pages

SPHERE = "+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs"
SYSTEMS = {
    "crs_laea": "+proj=laea +lat_0=5 +lon_0=20 +x_0=1000 +y_0=2000 +datum=WGS84 +units=m",
    "crs_albers": "ESRI:102003",
    "crs_polar": "+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=10 +a=6378273 +b=6356889.449 +units=m",
    "crs_sinusoidal": SPHERE,
    "crs_kilometres": "+proj=lcc +lat_1=33 +lat_2=45 +lat_0=39 +lon_0=-96 +x_0=400000 +datum=NAD83 +units=km",
    "crs_feet": "+proj=tmerc +lat_0=30 +lon_0=-84.5 +k=0.9999 +x_0=700000 +datum=NAD83 +units=us-ft",
    "crs_towgs84": "+proj=tmerc +lat_0=0 +lon_0=9 +k=1 +x_0=3500000 +ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7 +units=m",
    "crs_oblique": "+proj=omerc +lat_0=4 +lonc=102.25 +alpha=323.025796 +gamma=323.130102 +k=0.99984 +x_0=804671 +y_0=0 +ellps=WGS84",
    "crs_paris": "+proj=lcc +lat_1=46.8 +lat_0=46.8 +lon_0=0 +k_0=0.99987742 +x_0=600000 +y_0=2200000 +ellps=clrk80ign +pm=paris +units=m",
    "crs_mars": "+proj=eqc +lat_ts=-10 +lat_0=0 +lon_0=180 +R=3396190 +units=m",
    "crs_compound": "EPSG:32632+5773",
    "crs_esri": "+proj=moll +lon_0=11 +datum=WGS84 +units=m",
    "crs_utm": "+proj=utm +zone=33 +south +ellps=intl +units=m",
}


def said(crs):
    """The parts of a system in degrees and metres."""
    inner = crs.source_crs if crs.is_bound else crs
    vertical = None
    if inner.is_compound:
        inner, vertical = inner.sub_crs_list
    out = {"geographic": inner.is_geographic, "axes": [inner.ellipsoid.semi_major_metre, inner.ellipsoid.semi_minor_metre]}
    out["unit"] = inner.axis_info[0].unit_conversion_factor
    if inner.is_projected:
        operation = inner.coordinate_operation
        degrees = lambda p: math.degrees(1) if p.unit_category == "angular" else 1
        out["method"] = operation.method_name
        out["parameters"] = {p.name: p.value * p.unit_conversion_factor * degrees(p) for p in operation.params}
    if crs.is_bound:
        out["towgs84"] = crs.coordinate_operation.towgs84
    if vertical:
        out["vertical"] = vertical.to_epsg()
    return out


def make(root):
    out = root / "tiff"
    array = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
    expected, systems = {}, {}
    for name, text in SYSTEMS.items():
        crs = CRS.from_user_input(text)
        step = (0.5, 0.5) if crs.is_geographic else (10, 10)
        options = dict(driver="GTiff", height=8, width=8, count=1, dtype="uint8", GEOTIFF_VERSION="1.1")
        with rasterio.open(out / f"{name}.tif", "w", crs=crs.to_wkt(), transform=from_origin(5, 50, *step), **options) as dst:
            dst.write(array)
        systems[f"tiff/{name}.tif"] = said(crs)
    points = [GroundControlPoint(row=r, col=c, x=7 + c / 100 + r / 1000, y=47 - r / 100, z=r) for r in (0, 8) for c in (0, 4, 8)]
    with rasterio.open(out / "geo_points.tif", "w", gcps=points, crs="EPSG:4326", **options) as dst:
        dst.write(array)
    for name in [*SYSTEMS, "geo_points"]:
        pages = tiff_pages(out / f"{name}.tif")
        expected[f"tiff/{name}.tif"] = {ifd: record(page) for ifd, page in pages}
    lines = [f" {json.dumps(path)}: {json.dumps(parts)}" for path, parts in sorted(systems.items())]
    (root / "CRS.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return expected
