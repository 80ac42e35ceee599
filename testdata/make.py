#!/usr/bin/env python3
"""Writes every fixture of this folder anew, and EXPECTED.json with what a reader must find in them.

    pip install numpy rasterio pyproj tifffile imagecodecs zarr numcodecs tensorstore xarray cftime kerchunk fastparquet pyarrow
    python3 testdata/make.py

The same versions of these packages give the same bytes: nothing depends on the clock or on chance.
"""

import json
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))


def clear():
    for name in ["tiff", "masked", "streams", "zarr", "references", "bad", "beside", "climate.zarr", "climate_v3.zarr"]:
        shutil.rmtree(HERE / name, ignore_errors=True)
    for path in [*HERE.glob("*.tif"), *(HERE / name for name in ["EXPECTED.json", "MASKED.json", "CRS.json"])]:
        path.unlink(missing_ok=True)


def main():
    from making import bad, cf_cubes, crs, masked, sidecars, tiffs, zarrs

    clear()
    expected = {**tiffs.make(HERE), **crs.make(HERE), **sidecars.make(HERE), **zarrs.make(HERE)}
    masked.make(HERE)
    bad.make(HERE)
    cf_cubes.make(HERE)
    lines = [f" {json.dumps(path)}: {json.dumps(parts)}" for path, parts in sorted(expected.items())]
    (HERE / "EXPECTED.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    size = sum(p.stat().st_size for p in HERE.rglob("*") if p.is_file())
    print(f"{len(expected)} files and stores, {size / 2**20:.2f} MiB in all")


if __name__ == "__main__":
    main()
