"""`cf/`: a small cube written by xarray in both versions, and what xarray decodes of it (`cf/expected.json`)."""

import json
import shutil
import sys
import warnings
from pathlib import Path

import cftime
import numpy as np
import xarray as xr

WKT = (
    'PROJCS["WGS 84 / UTM zone 31N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433],AUTHORITY["EPSG","4326"]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["central_meridian",3],UNIT["metre",1],AUTHORITY["EPSG","32631"]]'
)


def cube():
    random = np.random.default_rng(3)
    dims, shape = ("time", "y", "x"), (3, 4, 5)
    temperature = 270 + 30 * random.random(shape)
    temperature[random.random(shape) < 0.2] = np.nan
    rain = random.random(shape).astype("f4")
    rain[0, 0] = np.nan
    count = random.integers(0, 100, shape).astype("f8")
    count[1, 2:] = np.nan
    time = xr.date_range("2001-02-27", periods=3, freq="12h", calendar="noleap", use_cftime=True)
    data = xr.Dataset(
        {"temperature": (dims, temperature), "rain": (dims, rain), "count": (dims, count)},
        {"time": time, "y": 5000.0 - 30 * np.arange(4), "x": 700.0 + 30 * np.arange(5), "height": 2.0},
        {"Conventions": "CF-1.11"},
    )
    data["spatial_ref"] = xr.DataArray(0, attrs={"crs_wkt": WKT, "grid_mapping_name": "transverse_mercator", "GeoTransform": "685 30 0 5015 0 -30"})
    data = data.set_coords(["spatial_ref"])
    data.temperature.attrs["units"] = "K"
    encoding = {
        "temperature": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768, "grid_mapping": "spatial_ref"},
        "rain": {"dtype": "f4", "_FillValue": np.float32(-1)},
        "count": {"dtype": "u1", "_FillValue": 255, "missing_value": 255},
        "time": {"dtype": "f8", "units": "days since 2000-01-01", "calendar": "noleap"},
    }
    return data, encoding


def decoded(path):
    data = xr.open_zarr(path, decode_times=xr.coders.CFDatetimeCoder(use_cftime=True))
    values = {}
    for name in ["temperature", "rain", "count"]:
        values[name] = [None if np.isnan(v) else float(v) for v in data[name].values.ravel()]
    values["time"] = [t.isoformat() for t in data.time.values]
    return values


def make(here):
    folder = here / "cf"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    warnings.simplefilter("ignore")
    data, encoding = cube()
    expected = {}
    for version in [2, 3]:
        path = folder / f"v{version}.zarr"
        none = {"compressors": None}
        each = {name: {**encoding.get(name, {}), **none} for name in data.variables}
        data.to_zarr(path, mode="w", zarr_format=version, consolidated=True, encoding=each)
        # Nothing but the consolidated document is read.
        for document in [*path.rglob(".zarray"), *path.rglob(".zattrs"), *path.glob("*/zarr.json")]:
            document.unlink()
        expected[path.name] = decoded(path)
    text = json.dumps({"made by": f"xarray {xr.__version__}, cftime {cftime.__version__}", **expected})
    (folder / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "testdata"))
