"""Holds what `tests/write.rs` wrote (SWATH_WRITTEN) against the same values, read by zarr-python and by TensorStore.

usage: read.py FOLDER
"""

import json
import pathlib
import sys

import numpy as np
import tensorstore as ts
import zarr

SHAPE = (10, 13)
INDEX = np.arange(SHAPE[0] * SHAPE[1]).reshape(SHAPE)
NUMBERS = INDEX * 7 % 101

# What TensorStore's drivers do not read, or as characters along one axis more: times, texts, filters of numcodecs.
NOT_TENSORSTORE = ("datetime64", "timedelta64", "utf32", "bytes5", "texts", "_shuffled")


def element(numbers, name):
    """The rule of `element` in tests/write.rs, by the name of the array."""
    kind = name.removeprefix("types/").rsplit("_", 1)[0] if name.startswith("types/") else "uint16"
    half = numbers + 0.5
    if kind == "bool":
        return (numbers % 2).astype(bool)
    if kind.startswith("datetime64"):
        return numbers.astype("<M8[ns]")
    if kind.startswith("timedelta64"):
        return numbers.astype("<m8[10s]")
    if kind == "bytes5":
        return np.array([str(n) for n in numbers.flat], "S5").reshape(numbers.shape)
    if kind.startswith("utf32"):
        return np.array([f"é{n}" for n in numbers.flat], "U4").reshape(numbers.shape)
    if kind == "bfloat16":
        return numbers.astype("float32")
    if kind.startswith("complex"):
        return (half - 1j * half).astype(kind)
    return (half if kind.startswith("float") else numbers).astype(kind)


def same(found, expected):
    found = np.asarray(found)
    if found.dtype.name == "bfloat16":
        found = found.astype("float32")
    return found.shape == expected.shape and found.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=") and np.array_equal(found, expected)


def fill(array):
    """The fill value as a scalar of the array's type."""
    return np.asarray(array.fill_value, array.dtype)


def by_tensorstore(folder, name, version):
    spec = {"driver": "zarr" if version == "v2" else "zarr3", "kvstore": {"driver": "file", "path": str(folder / name)}}
    return ts.open(spec, open=True).result().read().result()


def main(root):
    failed, checked = [], {"zarr-python": 0, "TensorStore": 0}

    def check(reader, version, name, right):
        checked[reader] += 1
        if not right:
            failed.append(f"{reader}: {version}/{name}")

    for version in ("v2", "v3"):
        folder = pathlib.Path(root) / version
        group = zarr.open_consolidated(str(folder), mode="r", zarr_format=int(version[1]))
        assert group.attrs["title"] == "made by Swath"
        members = {name: node for name, node in group.members(max_depth=None) if isinstance(node, zarr.Array)}
        documents = [p for p in folder.rglob(".zarray")]
        documents += [p for p in folder.rglob("zarr.json") if json.loads(p.read_text())["node_type"] == "array"]
        assert len(members) == len(documents), "consolidated metadata and documents differ"
        for name, array in sorted(members.items()):
            if name == "texts":
                expected = np.array(["é" * (i % 5) for i in INDEX.flat], object).reshape(SHAPE)
                check("zarr-python", version, name, (np.asarray(array[...]).astype(object) == expected).all())
                continue
            expected = element(NUMBERS, name)
            try:
                check("zarr-python", version, name, same(array[...], expected))
                if name.startswith("types/"):
                    check("zarr-python", version, name + " (fill value)", fill(array) == element(np.array([21]), name)[0])
            except Exception as error:  # noqa: BLE001: whatever a reader raises is what it says of the array
                failed.append(f"zarr-python: {version}/{name}: {error!r}")
            if name.startswith("codecs/"):
                assert dict(array.attrs)["units"] == "m"
            if any(part in name for part in NOT_TENSORSTORE):
                continue
            try:
                check("TensorStore", version, name, same(by_tensorstore(folder, name, version), expected))
            except Exception as error:  # noqa: BLE001
                failed.append(f"TensorStore: {version}/{name}: {str(error)[:300]}")
    # zarr-python has no bfloat16.
    for name in ("types/bfloat16_Little", "types/bfloat16_Big"):
        check("TensorStore", "v3", name, same(by_tensorstore(pathlib.Path(root) / "bfloat16", name, "v3"), element(NUMBERS, name)))
    print("\n".join(failed) or "all as written", *(f"{reader}: {count} checks" for reader, count in checked.items()), sep="\n")
    assert min(checked.values()) > 50
    sys.exit(bool(failed))


main(sys.argv[1])
