#!/usr/bin/env python3
"""Writes the tables of this folder from the EPSG register as PROJ ships it: `pip install pyproj`, then `python3 make.py`.

One row a line, fields divided by bars, ordered by code. Angles are in degrees and lengths in metres unless a unit stands beside them.
"""

import math
import sqlite3
from pathlib import Path

import pyproj

HERE = Path(__file__).resolve().parent
METHODS = {  # as many parameters, in this order, as `methods.rs` has
    9801: [8801, 8802, 8805, 8806, 8807],
    9802: [8821, 8822, 8823, 8824, 8826, 8827],
    9804: [8801, 8802, 8805, 8806, 8807],
    9806: [8801, 8802, 8806, 8807],
    9807: [8801, 8802, 8805, 8806, 8807],
    9808: [8801, 8802, 8805, 8806, 8807],
    9809: [8801, 8802, 8805, 8806, 8807],
    9810: [8801, 8802, 8805, 8806, 8807],
    9811: [8801, 8802, 8806, 8807],
    9812: [8811, 8812, 8813, 8814, 8815, 8806, 8807],
    9813: [8811, 8812, 8813, 8815, 8806, 8807],
    9815: [8811, 8812, 8813, 8814, 8815, 8816, 8817],
    9818: [8801, 8802, 8806, 8807],
    9820: [8801, 8802, 8806, 8807],
    9822: [8821, 8822, 8823, 8824, 8826, 8827],
    9829: [8832, 8833, 8806, 8807],
}


def number(value):
    return repr(round(value, 12)).removesuffix(".0")


def main():
    db = sqlite3.connect(Path(pyproj.datadir.get_data_dir()) / "proj.db")
    rows = lambda what: db.execute(what).fetchall()
    units = {code: factor for code, factor in rows("SELECT code, conv_factor FROM unit_of_measure WHERE auth_name = 'EPSG'")}

    # The register rounds what is a fraction of pi.
    units.update({9102: math.pi / 180, 9103: math.pi / 10800, 9104: math.pi / 648000, 9105: math.pi / 200})

    def degrees(value, unit):
        if unit == 9110:  # degrees, a point, two digits of minutes, then seconds
            text = f"{abs(value):.10f}"
            whole, part = text.split(".")
            value = (1 if value >= 0 else -1) * (int(whole) + int(part[:2]) / 60 + int(part[2:]) / 1e8 / 3600)
            return value
        return value * units[unit] / units[9102]

    def write(name, lines):
        lines = sorted(lines, key=lambda line: int(line.split("|")[0]))
        (HERE / f"{name}.txt").write_text("".join(line + "\n" for line in lines))
        print(f"{name:16} {len(lines):5} rows")

    kinds = {"geographic 2D": "2", "geographic 3D": "3", "geocentric": "c"}
    axis = "(SELECT uom_code FROM axis a WHERE a.auth_name = 'EPSG' AND a.coordinate_system_code = c.coordinate_system_code LIMIT 1)"
    plain = lambda name: name.removesuffix(" ensemble")
    write("unit", [f"{c}|{n}|{'a' if t == 'angle' else 'l'}|{units[9102 if c == 9122 else c]!r}" for c, n, t in rows(
        "SELECT code, name, type FROM unit_of_measure WHERE auth_name = 'EPSG' AND type IN ('length', 'angle') "
        "AND conv_factor IS NOT NULL AND name NOT LIKE '%per %'")])
    write("ellipsoid", [f"{c}|{n}|{number(a * units[u])}|{number(f) if f else '0' if a == b else repr(a / (a - b))}" for c, n, a, b, f, u in rows(
        "SELECT code, name, semi_major_axis, semi_minor_axis, inv_flattening, uom_code FROM ellipsoid WHERE auth_name = 'EPSG'")])
    write("prime_meridian", [f"{c}|{n}|{number(v if u == 9105 else degrees(v, u))}|{9105 if u == 9105 else 9102}" for c, n, v, u in rows(
        "SELECT code, name, longitude, uom_code FROM prime_meridian WHERE auth_name = 'EPSG'")])
    write("datum", [f"{c}|{plain(n)}|{e}|{m}" for c, n, e, m in rows(
        "SELECT code, name, ellipsoid_code, prime_meridian_code FROM geodetic_datum WHERE auth_name = 'EPSG'")])
    alias = ("(SELECT alt_name FROM alias_name n WHERE n.table_name = 'geodetic_crs' AND n.auth_name = 'EPSG' AND n.code = c.code "
             "AND n.source = 'ESRI' AND c.type = 'geographic 2D' AND c.deprecated = 0 LIMIT 1)")
    write("geodetic", [f"{c}|{kinds[t]}|{n}|{d}|{9102 if u in (9108, 9122) else u}" + (f"|{e}" if e else "") for c, t, n, d, u, e in rows(
        f"SELECT code, type, name, datum_code, {axis}, {alias} FROM geodetic_crs c WHERE auth_name = 'EPSG' AND datum_code IS NOT NULL")
        if t in kinds])
    direction = axis.replace("uom_code", "orientation")
    write("vertical", [f"{c}|{n}|{d}|{plain(dn)}|{u}|{o}" for c, n, d, dn, u, o in rows(
        f"SELECT c.code, c.name, d.code, d.name, {axis}, {direction} FROM vertical_crs c JOIN vertical_datum d "
        "ON d.code = c.datum_code AND d.auth_name = 'EPSG' WHERE c.auth_name = 'EPSG'")])
    write("compound", [f"{c}|{h}|{v}" for c, h, v in rows(
        "SELECT code, horiz_crs_code, vertical_crs_code FROM compound_crs WHERE auth_name = 'EPSG' AND deprecated = 0")])

    runs, last = [], None
    for code, unit in rows(f"SELECT code, {axis} FROM projected_crs c WHERE auth_name = 'EPSG' ORDER BY CAST(code AS INT)"):
        if unit != last:
            runs.append([code, code, unit])
        runs[-1][1], last = code, unit
    write("projected_unit", [f"{a}|{b}|{u}" for a, b, u in runs if u and u != 9001])

    conversions = []
    parameters = ", ".join(f"param{n}_code, param{n}_value, param{n}_uom_code" for n in range(1, 8))
    for code, name, method, *rest in rows(
        f"SELECT code, name, method_code, {parameters} FROM conversion_table WHERE auth_name = 'EPSG' AND code BETWEEN 10000 AND 19999"
    ):
        if method not in METHODS or 16001 <= code <= 16060 or 16101 <= code <= 16160:  # UTM is a formula
            continue
        given = {p: (v, u) for p, v, u in zip(rest[0::3], rest[1::3], rest[2::3]) if p}
        if sorted(given) != sorted(METHODS[method]):
            continue
        angle = lambda p: p in (8801, 8802, 8811, 8812, 8813, 8814, 8821, 8822, 8823, 8824, 8832, 8833)
        value = lambda p: degrees(*given[p]) if angle(p) else given[p][0] * units[given[p][1]]
        conversions.append(f"{code}|{name}|{method}|" + "|".join(number(value(p)) for p in METHODS[method]))
    write("conversion", conversions)


if __name__ == "__main__":
    main()
