"""The dates that src/cf is held against: made by cftime (num2date), a line a time."""

import random
import sys

import cftime

CALENDARS = ["standard", "proleptic_gregorian", "julian", "noleap", "all_leap", "360_day"]
UNITS = [
    "days since 1970-01-01",
    "days since 1850-01-01 00:00:00",
    "hours since 1900-01-01 00:00:00.0",
    "minutes since 2000-02-28 12:30:00",
    "seconds since 1992-10-08 15:15:42.5",
    "milliseconds since 1601-01-01",
    "microseconds since 2001-01-01",
    "days since 0001-01-01",
]
REACH = {"days": 900000, "hours": 9e6, "minutes": 5e8, "seconds": 3e10, "milliseconds": 1e13, "microseconds": 1e15}


def text(time):
    out = f"{time.year:04d}-{time.month:02d}-{time.day:02d}T{time.hour:02d}:{time.minute:02d}:{time.second:02d}"
    return out + (f".{time.microsecond:06d}".rstrip("0") if time.microsecond else "")


def main(out):
    draw = random.Random(7)
    print(f"# made by testdata/making/cf_dates.py with cftime {cftime.__version__}: units, calendar, steps, date", file=out)
    for calendar in CALENDARS:
        for units in UNITS:
            reach = REACH[units.split()[0]]
            steps = [0, 1, -1, 59, 60, 365, draw.randrange(int(reach)), draw.randrange(int(reach)) + 0.5]
            if units.startswith(("days", "hours")):
                steps += [0.25, draw.randrange(1000) + 0.125]
            if units.startswith("micro"):
                steps = [step for step in steps if step % 1 == 0]  # it rounds halves to even microseconds
            for step in steps:
                try:
                    time = cftime.num2date(step, units, calendar, has_year_zero=calendar not in ("standard", "julian"))
                except (ValueError, OverflowError):
                    continue
                if time.year > 0:
                    print(units, calendar, repr(step), text(time), sep="\t", file=out)


if __name__ == "__main__":
    main(sys.stdout)
