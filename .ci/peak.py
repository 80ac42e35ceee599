#!/usr/bin/env python3
"""peak.py SWATH FOLDER MIB: reads an array of 512 MiB to a file and holds the program's resident size under MIB."""

import json
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np

# In a small process of its own: until a child's exec its resident size is that of its parent, and counts.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
ROWS, SIDE, CHUNK_ROWS, CHUNK_SIDE = 128, 1024, 8, 256


def block(z):
    """Rows z of the array: every element differs from its neighbours and from those a chunk away."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.uint32)
    return ((y * 2654435761 + x * 40503 + np.uint32(z) * 97) >> np.uint32(3)).astype("<u4")


def write(store):
    store.mkdir(parents=True)
    metadata = {
        "zarr_format": 2, "shape": [ROWS, SIDE, SIDE], "chunks": [CHUNK_ROWS, CHUNK_SIDE, SIDE], "dtype": "<u4",
        "compressor": None, "filters": None, "fill_value": 0, "order": "C",
    }
    (store / ".zarray").write_text(json.dumps(metadata))
    crc = 0
    for z in range(0, ROWS, CHUNK_ROWS):
        rows = np.stack([block(z + i) for i in range(CHUNK_ROWS)])
        crc = zlib.crc32(rows.tobytes(), crc)
        for y in range(SIDE // CHUNK_SIDE):
            (store / f"{z // CHUNK_ROWS}.{y}.0").write_bytes(np.ascontiguousarray(rows[:, y * CHUNK_SIDE : (y + 1) * CHUNK_SIDE]).tobytes())
    return crc


def main():
    program, folder, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    crc = write(folder / "large.zarr")
    out = folder / "large.bin"
    start = time.monotonic()
    command = [sys.executable, "-c", MEASURE, program, "read", str(folder / "large.zarr"), "-o", str(out)]
    peak = int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout) / 1024
    took = time.monotonic() - start
    found = 0
    with out.open("rb") as file:
        while part := file.read(1 << 24):
            found = zlib.crc32(part, found)
    shutil.rmtree(folder)
    print(f"512 MiB in {took:.1f} s, peak {peak:.0f} MiB of {most}")
    if found != crc:
        sys.exit("error: other bytes than were written")
    if peak > most:
        sys.exit("error: above the bound")


main()
