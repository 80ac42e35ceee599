"""Invented ground: terrain, a satellite scene, a climate. Everything follows from the seeds below."""

import numpy as np

F = np.float32


def smooth_noise(shape, cells, seed, wrap=False):
    """Noise of one octave: random values at `cells` lattice points a side, smoothly between them. `wrap` joins the two ends of the last axis."""
    rows, cols = shape
    lattice = np.random.default_rng(seed).random((cells + 2, cells + 2))
    if wrap:
        lattice[:, cells] = lattice[:, 0]
        lattice[:, cells + 1] = lattice[:, 1]
    y, x = np.arange(rows) / rows * cells, np.arange(cols) / cols * cells
    iy, ix = y.astype(int), x.astype(int)
    fy, fx = y - iy, x - ix
    fy, fx = (fy * fy * (3 - 2 * fy))[:, None], (fx * fx * (3 - 2 * fx))[None, :]
    at = lambda dy, dx: lattice[np.ix_(iy + dy, ix + dx)]
    top = at(0, 0) * (1 - fx) + at(0, 1) * fx
    bottom = at(1, 0) * (1 - fx) + at(1, 1) * fx
    return top * (1 - fy) + bottom * fy


def fractal(shape, cells, octaves, seed, gain=0.5, ridged=False, wrap=False):
    """Octaves of smooth noise on top of each other, 0 to 1."""
    total, weight = np.zeros(shape), 0.0
    for octave in range(octaves):
        noise = smooth_noise(shape, cells << octave, seed * 100 + octave, wrap)
        if ridged:
            noise = (1 - np.abs(2 * noise - 1)) ** 2
        total += noise * gain**octave
        weight += gain**octave
    return total / weight


def slope_light(height, relief):
    """Light from the north-west on this height, about 1 on flat ground."""
    dy, dx = np.gradient(height * relief)
    return np.clip(1 + (dx + dy) / np.sqrt(1 + dx * dx + dy * dy), 0.35, 1.6)


def terrain(size):
    """Heights in metres: ridges that bend, valleys between them, a lake."""
    shape = (size, size)
    broad = fractal(shape, 2, 3, 11)
    y, x = np.mgrid[0:size, 0:size]
    mirrored = lambda at: size - 1 - np.abs(size - 1 - np.abs(at))
    bent = lambda axis, seed: mirrored(axis + 70 * (fractal(shape, 4, 4, seed) - 0.5)).astype(int)
    ridges = fractal(shape, 5, 7, 12, 0.5, ridged=True)[bent(y, 13), bent(x, 14)]
    height = 420 + 700 * broad + 1500 * (ridges * 1.5 - 0.25) * np.clip(broad * 1.5 - 0.2, 0.15, 1)
    return np.maximum(height, np.quantile(height, 0.04))


def fields(shape, count, seed):
    """A number for each field: cells of a slanted, uneven grid, some of them split into strips."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(float)
    bend = 30 * (fractal(shape, 3, 2, seed + 1) - 0.5)
    u, v = 0.94 * x + 0.34 * y + bend, 0.94 * y - 0.34 * x + bend
    lines = lambda n: np.sort(rng.uniform(-0.6, 1.5, n)) * max(shape)
    a = np.searchsorted(lines(count), u)
    b = np.searchsorted(lines(count), v)
    strips = (u // 14).astype(int) * ((a * 7 + b * 13) % 3 == 0)
    edge = np.zeros(shape, bool)
    number = a * 1009 + b * 9176 + strips * 77
    edge[1:, :] |= number[1:, :] != number[:-1, :]
    edge[:, 1:] |= number[:, 1:] != number[:, :-1]
    return number, edge


def scene(size):
    """Reflectance * 10000 of red, green, blue and near infrared: fields, forest, a river with a lake, a town, clouds and their shadows."""
    shape = (size, size)
    number, edge = fields(shape, 26, 21)
    green = np.random.default_rng(22).random(65536)[number % 65536]
    tone = np.random.default_rng(23).random(65536)[number % 65536]
    kinds = lambda bare, crop: bare[None] * (1 - green) + crop[None] * green
    colours = lambda *v: np.array(v, float)[:, None, None]
    bare, crop = colours(1700, 1350, 1000, 2500), colours(420, 720, 380, 4300)
    land = bare * (1 - green)[None] + crop * green[None]
    land *= (0.8 + 0.4 * tone)[None]
    land[:, edge] *= 0.8
    grain = fractal(shape, 48, 3, 24)
    land *= (0.9 + 0.2 * grain)[None]

    y, x = np.mgrid[0:size, 0:size] / size
    forest = fractal(shape, 4, 5, 25) + 0.25 * (y - 0.5) > 0.58
    canopy = slope_light(fractal(shape, 90, 2, 26), 9.0)
    land = np.where(forest[None], colours(230, 390, 220, 2700) * canopy[None], land)

    town = (np.hypot(x - 0.30, y - 0.62) + 0.08 * fractal(shape, 8, 3, 27)) < 0.13
    blocks = np.random.default_rng(28).random((size // 4 + 1, size // 4 + 1)).repeat(4, 0).repeat(4, 1)[:size, :size]
    land = np.where(town[None], colours(1500, 1450, 1400, 1900) * (0.5 + 1.1 * blocks[None]), land)

    course = 0.47 + 0.16 * np.sin(5.2 * y + 0.6) + 0.10 * (fractal(shape, 5, 3, 29) - 0.5)
    water = (np.abs(x - course) < 0.011 + 0.004 * np.sin(9 * y)) | (np.hypot((x - 0.60) * 1.2, y - 0.40) + 0.10 * fractal(shape, 6, 4, 30) < 0.125)
    land = np.where(water[None], colours(260, 420, 520, 160) * (0.95 + 0.1 * grain[None]), land)

    near = np.minimum(np.hypot(x - 0.80, y - 0.16), np.hypot(x - 0.12, y - 0.90))
    cloud = np.clip((fractal(shape, 9, 6, 31) - 0.36 - 1.7 * near) * 6, 0, 1)
    shadow = np.roll(cloud, (34, -26), (0, 1))
    shadow[:34], shadow[:, -26:] = 0, 0
    land *= (1 - 0.55 * shadow)[None]
    bright = (2900 + 1900 * fractal(shape, 10, 5, 32))[None] * colours(1.0, 1.0, 1.03, 0.98)
    return land * (1 - cloud[None]) + bright * cloud[None]


def continents(lat, lon):
    """Height above the sea, -1 to 1: a few invented continents, an ice cap in the south."""
    rough = fractal((lat.size, lon.size), 5, 5, 41, 0.55, wrap=True)
    y, x = lat[:, None], lon[None, :]
    blob = lambda y0, x0, h, w: np.exp(-(((y - y0) / h) ** 2) - ((((x - x0 + 180) % 360 - 180) / w) ** 2))
    land = (
        blob(48, 255, 24, 40) + blob(-15, 300, 26, 18) + blob(8, 20, 26, 22) + blob(52, 80, 20, 62) + blob(-25, 134, 12, 18)
        + blob(12, 280, 10, 12) + blob(72, 318, 9, 16) + 1.3 * (y < -72) * np.ones_like(x)
    )
    return np.clip(land + 2.6 * (rough - 0.5) - 0.5, -1, 1)


def temperature(months, lat, lon):
    """2 m temperature in kelvin at the middle of each month, (time, lat, lon)."""
    height = continents(lat, lon)
    land = np.clip(height * 4 + 0.5, 0, 1)
    y = np.radians(lat)[:, None]
    weather = fractal((lat.size, lon.size), 7, 4, 42, wrap=True) - 0.5
    out = np.empty((months, lat.size, lon.size), F)
    for month in range(months):
        season = -np.cos(2 * np.pi * (month + 0.5 - 0.6) / 12)
        tilt = np.sin(y) * season
        base = 300 - 46 * np.sin(y) ** 2 - 12 * np.clip((-60 - lat[:, None]) / 12, 0, 1)
        drift = fractal((lat.size, lon.size), 6, 3, 50 + month, wrap=True) - 0.5
        out[month] = base + tilt * (5 + 17 * land) - 24 * np.clip(height, 0, 1) + 4 * land + 5 * weather + 3 * drift
    return out
