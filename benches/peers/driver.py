"""The Python half of `run`: the readers that are Python packages, behind the protocol of src/protocol.rs.

    gdal                rasterio, into an array that is there
    tifffile            tifffile and imagecodecs, into an array that is there; windows by its tiles, since it has none of its own
    tensorstore         into an array of its own
    zarr-python         the pipeline that comes with it, into an array that is there
    zarr-python+zarrs   the pipeline of the package zarrs, into an array that is there

An array that is there has been written to before, so that no page of it is new.
"""

import concurrent.futures
import hashlib
import importlib.metadata
import json
import os
import sys
import time

import numpy as np

CORES = len(os.sched_getaffinity(0))


def threads(job):
    return job["threads"] or CORES


def bands_of(job):
    return job["shape"][2 if job.get("bands_last") else 0] if len(job["shape"]) == 3 else 1


# ---------------------------------------------------------------- images


def gdal_options(job):
    return {"NUM_THREADS": "ALL_CPUS" if threads(job) > 1 else "1"}


def gdal_image(job, out):
    import rasterio

    # Bands come first.
    if job.get("bands_last"):
        raise ValueError("GDAL places one band after the other")

    def read(seen):
        with rasterio.open(job["path"], **gdal_options(job)) as image:
            if bands_of(job) == 1:
                image.read(1, out=out)
            else:
                image.read(out=out)
        seen(out)

    return read


def gdal_windows(job, out):
    import rasterio
    from rasterio.windows import Window

    image = rasterio.open(job["path"], **gdal_options(job))
    rows, columns = job["shape"]

    def read(seen):
        for y, x in job["windows"]:
            image.read(1, window=Window(x, y, columns, rows), out=out)
            seen(out)

    return read


def tifffile_image(job, out):
    import tifffile

    if bands_of(job) > 1 and not job.get("bands_last"):
        raise ValueError("tifffile leaves bands where they are")

    def read(seen):
        with tifffile.TiffFile(job["path"]) as tiff:
            tiff.pages[0].asarray(out=out, maxworkers=threads(job))
        seen(out)

    return read


def tifffile_windows(job, out):
    import tifffile

    tiff = tifffile.TiffFile(job["path"])
    page = tiff.pages[0]
    high, wide = page.tilelength, page.tilewidth
    across = -(-page.imagewidth // wide)
    rows, columns = job["shape"]
    pool = concurrent.futures.ThreadPoolExecutor(threads(job))
    decode = page.decode
    page.dataoffsets, page.databytecounts  # noqa: B018  the tables are read once

    def place(tile, y, x):
        # As page.asarray does: stored bytes in turn, decoded by several threads.
        data, number = tile
        segment, _, shape = decode(data, number)
        top, left = number // across * high, number % across * wide
        segment = segment[0, : shape[1], : shape[2], 0]
        a, b = max(top, y), min(top + segment.shape[0], y + rows)
        c, d = max(left, x), min(left + segment.shape[1], x + columns)
        out[a - y : b - y, c - x : d - x] = segment[a - top : b - top, c - left : d - left]

    def read(seen):
        for y, x in job["windows"]:
            numbers = [r * across + c for r in range(y // high, -(-(y + rows) // high)) for c in range(x // wide, -(-(x + columns) // wide))]
            tiles = tiff.filehandle.read_segments([page.dataoffsets[n] for n in numbers], [page.databytecounts[n] for n in numbers], numbers)
            list(pool.map(lambda tile: place(tile, y, x), tiles))  # noqa: B023
            seen(out)

    return read


# ---------------------------------------------------------------- arrays


def tensorstore_array(job, _):
    import tensorstore

    folder = os.path.join(job["path"], job["array"])
    driver = "zarr3" if os.path.exists(os.path.join(folder, "zarr.json")) else "zarr"
    limits = {} if threads(job) == CORES else {"data_copy_concurrency": {"limit": threads(job)}}
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": folder + "/"}}

    def read(seen):
        context = tensorstore.Context({"cache_pool": {"total_bytes_limit": 0}, **limits})
        array = tensorstore.open(spec, context=context, open=True, read=True).result()
        values = array.read().result()
        seen(values)
        return values

    return read


def zarr_array(pipeline):
    def make(job, out):
        import zarr
        from zarr.core.buffer.cpu import NDBuffer

        config = {"codec_pipeline.path": pipeline, "threading.max_workers": threads(job)}
        if "zarrs" in pipeline:
            import zarrs  # noqa: F401

            config["codec_pipeline.strict"] = True
        target = NDBuffer.from_numpy_array(out)

        def read(seen):
            with zarr.config.set(config):
                array = zarr.open_array(os.path.join(job["path"], job["array"]), mode="r")
                array.get_basic_selection(..., out=target)
            seen(out)

        return read

    return make


READERS = {
    ("gdal", "image"): gdal_image,
    ("gdal", "windows"): gdal_windows,
    ("tifffile", "image"): tifffile_image,
    ("tifffile", "windows"): tifffile_windows,
    ("tensorstore", "array"): tensorstore_array,
    ("zarr-python", "array"): zarr_array("zarr.core.codec_pipeline.BatchedCodecPipeline"),
    ("zarr-python+zarrs", "array"): zarr_array("zarrs.ZarrsCodecPipeline"),
}


# ---------------------------------------------------------------- the protocol


def versions():
    import rasterio

    names = ["rasterio", "tifffile", "imagecodecs", "tensorstore", "zarr", "zarrs", "numcodecs", "numpy"]
    found = {name: importlib.metadata.version(name) for name in names}
    # The pipeline has the name of the crate below it.
    found["zarrs (Python)"] = found.pop("zarrs")
    found["zarr-python"] = found.pop("zarr")
    return {**found, "GDAL": rasterio.__gdal_version__, "Python": sys.version.split()[0]}


class Check:
    def __init__(self, request):
        self.sum = hashlib.blake2b(digest_size=8)
        self.against = None
        self.save = open(request["save"], "wb") if request.get("save") else None
        self.path = request.get("against")
        self.at, self.most = 0, 0.0

    def __call__(self, values):
        values = np.ascontiguousarray(values)
        self.sum.update(memoryview(values).cast("B"))
        if self.save:
            values.tofile(self.save)
        if self.path:
            if self.against is None:
                self.against = np.fromfile(self.path, values.dtype)
            expected = self.against[self.at : self.at + values.size]
            self.at += values.size
            for a in range(0, values.size, 1 << 24):
                part = np.abs(values.reshape(-1)[a : a + (1 << 24)].astype("f8") - expected[a : a + (1 << 24)])
                self.most = max(self.most, float(np.nanmax(part, initial=0)))

    def result(self):
        if self.save:
            self.save.close()
        return {"hash": self.sum.hexdigest(), "most": self.most}


def serve(requests, answers):
    job = out = None
    readers = {}

    def reader(name):
        if name not in readers:
            make = READERS.get((name, job["kind"]))
            if make is None:
                raise ValueError(f"{name} does not do this")
            readers[name] = make(job, out)
        return readers[name]

    def answer(request):
        nonlocal job, out
        do = request["do"]
        if do == "hello":
            return {"versions": versions()}
        if do == "job":
            readers.clear()
            job, out = request, None
            out = np.ones(job["shape"], {"u8": "u1", "u16": "<u2", "f32": "<f4"}[job["type"]])
            return {}
        read = reader(request["reader"])
        if do == "check":
            check = Check(request)
            out.fill(1)
            read(check)
            return check.result()
        start, used = time.perf_counter(), time.process_time()
        kept = read(lambda _: None)
        seconds, used = time.perf_counter() - start, time.process_time() - used
        del kept
        return {"seconds": seconds, "cpu": used, "bytes": 0}

    for line in requests:
        try:
            result = answer(json.loads(line))
        except Exception as e:  # noqa: BLE001  what a peer cannot do is told, and the others go on
            result = {"error": f"{type(e).__name__}: {e}".replace("\n", " ")[:300]}
        print(json.dumps(result), file=answers, flush=True)


if __name__ == "__main__":
    # What packages print is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.stdin, answers)
