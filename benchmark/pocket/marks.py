"""What the pocket world is drawn with: shapes, textures, glyphs and strokes as functions of the plane.

A mark maps coordinates (two float32 arrays of one shape, the unit square being -1..1, x to the right, y down) to a signed
distance (negative inside) or, for textures, to a value in 0..1. Only operations that IEEE 754 rounds exactly are used
(+ - * / sqrt abs min max floor), so that every machine draws the same bytes.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Mark = Callable[[Plane, Plane], Plane]


def turn(part: float) -> tuple[np.float32, np.float32]:
    """Cosine and sine of a part of a full turn, rounded so that no mathematics library shows through."""
    angle = 2 * math.pi * part
    return np.float32(round(math.cos(angle), 6)), np.float32(round(math.sin(angle), 6))


def length(x: Plane, y: Plane) -> Plane:
    return np.sqrt(x * x + y * y)


def box(x: Plane, y: Plane, half_width: float, half_height: float) -> Plane:
    return np.maximum(np.abs(x) - np.float32(half_width), np.abs(y) - np.float32(half_height))


def polygon(sides: int, radius: float, start: float = 0.0) -> Mark:
    # unit normals of the sides, clockwise on the screen as y points down
    normals = [turn(start + k / sides) for k in range(sides)]

    def mark(x: Plane, y: Plane) -> Plane:
        # an intersection of half-planes is the maximum of their distances
        far = normals[0][0] * x + normals[0][1] * y
        for c, s in normals[1:]:
            far = np.maximum(far, c * x + s * y)
        return far - np.float32(radius)  # `radius` of the inscribed circle

    return mark


def star(points: int, radius: float = 0.95, waist: float = 0.38) -> Mark:
    """A star as the union of its spikes, each bounded by the lines from its tip to the dents beside it."""
    spikes = []
    for k in range(points):
        tip_x, tip_y = (float(c) for c in turn(k / points - 0.25))  # the first tip points up
        # half-planes nx * x + ny * y <= reach; this one keeps the spike on its side of the centre
        edges = [(np.float32(-tip_x), np.float32(-tip_y), np.float32(0))]
        for side in (0.5, -0.5):
            dent_x, dent_y = (waist * float(c) for c in turn((k + side) / points - 0.25))
            ex, ey = radius * tip_x - dent_x, radius * tip_y - dent_y
            # its sign turns the normal outwards on either side
            norm = math.copysign(math.sqrt(ex * ex + ey * ey), side)
            nx, ny = -ey / norm, ex / norm
            edges.append((np.float32(nx), np.float32(ny), np.float32(nx * dent_x + ny * dent_y)))
        spikes.append(edges)

    def mark(x: Plane, y: Plane) -> Plane:
        near = np.full_like(x, np.inf)
        for edges in spikes:
            far = np.full_like(x, -np.inf)
            for nx, ny, reach in edges:
                far = np.maximum(far, nx * x + ny * y - reach)
            near = np.minimum(near, far)
        return near

    return mark


def polyline(points: list[tuple[float, float]], width: float = 0.13) -> Mark:
    """A line through the points, `width` to either side."""
    # a segment of length 0 would divide by 0
    return segments([(p, q) for p, q in pairwise(points) if p != q], width)


def segments(pairs: list[tuple[tuple[float, float], tuple[float, float]]], width: float = 0.13) -> Mark:
    def mark(x: Plane, y: Plane) -> Plane:
        near = np.full_like(x, np.inf)
        for (ax, ay), (bx, by) in pairs:
            dx, dy = np.float32(bx - ax), np.float32(by - ay)
            px, py = x - np.float32(ax), y - np.float32(ay)
            # place of the nearest point on the segment, 0 at its start and 1 at its end
            along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), np.float32(0), np.float32(1))
            squared = (px - along * dx) ** 2 + (py - along * dy) ** 2
            near = np.minimum(near, squared)
        return np.sqrt(near) - np.float32(width)

    return mark


def _heart(x: Plane, y: Plane) -> Plane:
    # |x|: both lobes at once
    lobes = length(np.abs(x) - np.float32(0.38), y + np.float32(0.25)) - np.float32(0.45)
    c = np.float32(0.7071)
    tip = np.maximum(np.abs(x) * c + y * c - np.float32(0.55), -y - np.float32(0.25))
    return np.minimum(lobes, tip)


def _crescent(x: Plane, y: Plane) -> Plane:
    return np.maximum(length(x, y) - np.float32(0.9), np.float32(0.7) - length(x - np.float32(0.4), y))


def _arrow(x: Plane, y: Plane) -> Plane:
    shaft = box(x + np.float32(0.3), y, 0.6, 0.2)
    c = np.float32(0.7071)
    head = np.maximum(np.abs(y) * c + x * c - np.float32(0.65), -x)
    return np.minimum(shaft, head)


def _drop(x: Plane, y: Plane) -> Plane:
    ball = length(x, y - np.float32(0.3)) - np.float32(0.6)
    tip = np.maximum(np.abs(x) * np.float32(0.9) - y * np.float32(0.45) - np.float32(0.42), y - np.float32(0.1))
    return np.minimum(ball, tip)


def _hourglass(x: Plane, y: Plane) -> Plane:
    return np.maximum(np.abs(x) - np.abs(y) * np.float32(0.8) - np.float32(0.08), np.abs(y) - np.float32(0.85))


SHAPES: dict[str, Mark] = {
    "circle": lambda x, y: length(x, y) - np.float32(0.85),
    "square": lambda x, y: box(x, y, 0.75, 0.75),
    # the first side faces down, so a tip is up
    "triangle": polygon(3, 0.5, 0.25),
    # 0.7 brings the slope near 1, on which the softness of the drawn edge depends
    "diamond": lambda x, y: (np.abs(x) * np.float32(1.3) + np.abs(y) - np.float32(0.95)) * np.float32(0.7),
    "star": star(5),
    "cross": lambda x, y: np.minimum(box(x, y, 0.9, 0.28), box(x, y, 0.28, 0.9)),
    "ring": lambda x, y: np.abs(length(x, y) - np.float32(0.68)) - np.float32(0.2),
    "bar": lambda x, y: box(x, y, 0.95, 0.25),
    "hexagon": polygon(6, 0.8),
    "crescent": _crescent,
    # never in the corpus: the tasks of new concepts draw these
    "heart": _heart,
    "arrow": _arrow,
    "drop": _drop,
    "hourglass": _hourglass,
    "frame": lambda x, y: np.abs(box(x, y, 0.65, 0.65)) - np.float32(0.15),
    "dome": lambda x, y: np.maximum(length(x, y - np.float32(0.4)) - np.float32(0.95), y - np.float32(0.4)),
    "corner": lambda x, y: np.minimum(box(x, y - np.float32(0.6), 0.85, 0.25), box(x + np.float32(0.6), y, 0.25, 0.85)),
    "pair": lambda x, y: length(np.abs(x) - np.float32(0.5), y) - np.float32(0.4),
}
SHAPES.update({f"{n}-pointed star": star(n) for n in (4, 6, 7, 8)})
SHAPES["5-pointed star"] = SHAPES["star"]


def _wave(x: Plane) -> Plane:
    """A triangle wave of period 1 in 0..1."""
    return np.abs(x - np.floor(x) - np.float32(0.5)) * np.float32(2)  # 1 at whole numbers, 0 half-way between them


def _edge(value: Plane, sharpness: float) -> Plane:
    return np.clip((value - np.float32(0.5)) * np.float32(sharpness) + np.float32(0.5), np.float32(0), np.float32(1))


def _bricks(x: Plane, y: Plane) -> Plane:
    row = np.floor(y * np.float32(2))
    # row modulo 2: every other row is shifted by half a brick
    shifted = x + np.float32(0.5) * (row - np.float32(2) * np.floor(row / np.float32(2)))
    return np.maximum(
        _edge(_wave(y * np.float32(2)) - np.float32(0.25), 6), _edge(_wave(shifted) - np.float32(0.35), 6)
    )


def _spokes(x: Plane, y: Plane) -> Plane:
    value = np.ones_like(x)
    # the product of the signs of four lines through the centre: eight sectors that alternate
    for k in range(4):
        c, s = turn(k / 8)
        value = value * np.clip((c * x + s * y) * np.float32(8), np.float32(-1), np.float32(1))
    return value * np.float32(0.5) + np.float32(0.5)


def _waves(x: Plane, y: Plane) -> Plane:
    bend = _wave(x * np.float32(0.7))
    # 3 b^2 - 2 b^3, in place of a sine, which no standard rounds exactly
    smooth: Plane = bend * bend * (np.float32(3) - np.float32(2) * bend) * np.float32(0.7)
    return _edge(_wave(y + smooth), 3)


TEXTURES: dict[str, Mark] = {
    "stripes": lambda x, y: _edge(_wave(x), 4),
    # |a - b| of two stripes in 0..1 is their exclusive or
    "checks": lambda x, y: _edge(np.abs(_edge(_wave(x), 6) - _edge(_wave(y), 6)), 6),
    "dots": lambda x, y: _edge(np.float32(1.1) - np.float32(1.3) * length(_wave(x), _wave(y)), 5),
    "grid": lambda x, y: np.maximum(_edge(_wave(x) - np.float32(0.25), 6), _edge(_wave(y) - np.float32(0.25), 6)),
    "rings": lambda x, y: _edge(_wave(length(x, y)), 4),
    "waves": _waves,
    "bricks": _bricks,
    "spokes": _spokes,
    "zigzags": lambda x, y: _edge(_wave(y + np.float32(0.8) * _wave(x * np.float32(0.7))), 4),
    "diamonds": lambda x, y: _edge(_wave(x) + _wave(y) - np.float32(0.5), 3),
    # never in the corpus
    "scales": lambda x, y: _edge(_wave(length(_wave(x) - np.float32(0.5), y - np.floor(y)) * np.float32(1.6)), 4),
    "crosses": lambda x, y: _edge(
        np.float32(0.95)
        - np.minimum(
            np.maximum(_wave(x) * np.float32(2.6), _wave(y)), np.maximum(_wave(y) * np.float32(2.6), _wave(x))
        ),
        5,
    ),
    "plaid": lambda x, y: (_edge(_wave(x), 3) + _edge(_wave(y * np.float32(0.5)), 3)) * np.float32(0.5),
    "steps": lambda x, y: _edge(
        _wave((np.floor(x * np.float32(2)) + np.floor(y * np.float32(2))) * np.float32(0.26)), 6
    ),
    "bubbles": lambda x, y: _edge(
        np.float32(1) - np.abs(length(_wave(x), _wave(y)) - np.float32(0.6)) * np.float32(3), 4
    ),
    "weave": lambda x, y: _edge(
        np.where(
            _wave(x * np.float32(0.5)) + _wave(y * np.float32(0.5)) > np.float32(1),
            _wave(x * np.float32(2)),
            _wave(y * np.float32(2)),
        ),
        4,
    ),
}

# Glyphs are strokes between the points of a grid three wide and five high, named a b c / d e f / ... / m n o row by row.
_GRID = {chr(ord("a") + i): (-0.5 + 0.5 * (i % 3), -0.9 + 0.45 * (i // 3)) for i in range(15)}
_CHARACTERS = {
    "0": "acoma",
    "1": "db bn mo",
    "2": "acigmo",
    "3": "acom gi",
    "4": "agi co",
    "5": "cagiom",
    "6": "camoig",
    "7": "acn",
    "8": "acoma gi",
    "9": "igacom",
    "a": "mdbfo gi",
    "b": "abfhg hlnma",
    "c": "camo",
    "d": "abflnma",
    "e": "camo gh",
    "f": "cam gh",
    "g": "camoih",
    "h": "am co gi",
    "i": "ac bn mo",
    "j": "conj",
    "k": "am cgo",
    "l": "amo",
    "m": "maeco",
    "n": "maoc",
    "o": "bdjnlfb",
    "p": "macig",
    "q": "acoma ko",
    "r": "macig ho",
    "s": "cbdhlnm",
    "t": "ac bn",
    "u": "amoc",
    "v": "anc",
    "w": "amhoc",
    "x": "ao cm",
    "y": "ahc hn",
    "z": "acmo",
}
# Signs of an invented script, never in the corpus.
_RUNES = {
    "ansuz": "am af dh",
    "berkan": "mae ehk km",
    "cen": "cgo",
    "dagaz": "am co ao cm",
    "ehwaz": "mae ec co ac",
    "fehu": "am gc jf",
    "gebo": "ao cm gi",
    "hagal": "am co do",
    "isa": "bn",
    "jera": "bdh hln",
    "kaun": "am hc",
    "laguz": "am af",
    "mannaz": "am co af cd",
    "naudiz": "bn gf",
    "othala": "bdh bfh hm ho",
    "perth": "am ae mk ec ko",
    "raido": "am afh ho",
    "sowilo": "ca ai im",
    "tiwaz": "bn bd bf",
    "uruz": "mad dc co",
    "wunjo": "am afg",
    "algiz": "bn ha hc",
    "eihwaz": "bn bf nj",
    "yr": "bn hm ho",
    "ear": "bn bd bf jl",
    "ior": "bn ao cm",
    "cweord": "bm bo gi",
    "calc": "bn hm ho ac",
    "stan": "ac ge ie gk ik mo",
    "gar": "ao cm gb bi in ng",
    "ting": "ac cg gi io",
    "ror": "ca ag gi im",
    "vend": "ac am mo hi",
    "sol": "gb bi in ng",
    "mane": "ab bf fl lm",
    "regn": "ad bn lo",
    "skog": "am bn co hi",
    "elv": "ae ec gk ki",
    "fjell": "mb bo jl",
    "hus": "gb bi gm io mo",
}


def _glyph(strokes: str) -> Mark:
    pairs = [(_GRID[p], _GRID[q]) for word in strokes.split() for p, q in pairwise(word) if p != q]
    return segments(list(dict.fromkeys(pairs)))


GLYPHS: dict[str, Mark] = {name: _glyph(strokes) for name, strokes in (_CHARACTERS | _RUNES).items()}


def _spiral(turns: float, points: int) -> list[tuple[float, float]]:
    path = []
    for k in range(points):
        c, s = turn(turns * k / (points - 1))
        reach = 0.1 + 0.8 * k / (points - 1)
        path.append((float(c) * reach, float(s) * reach))
    return path


def _arc(
    start: float, end: float, points: int = 8, x: float = 0.0, y: float = 0.0, r: float = 0.8
) -> list[tuple[float, float]]:
    # in parts of a turn: 0 right, 0.25 down, 0.5 left, 0.75 up
    circle = [turn(start + (end - start) * k / (points - 1)) for k in range(points)]
    return [(x + r * float(c), y + r * float(s)) for c, s in circle]


STROKES: dict[str, Mark] = {
    "spiral": polyline(_spiral(2.0, 18), 0.08),
    "zigzag": polyline([(-0.9, 0.4), (-0.55, -0.4), (-0.2, 0.4), (0.2, -0.4), (0.55, 0.4), (0.9, -0.4)], 0.09),
    "arc": polyline(_arc(0.5, 1.0), 0.09),
    "wiggle": polyline(
        _arc(0.5, 1.0, points=7, x=-0.6, y=0, r=0.3)
        + _arc(0.5, 0.0, points=7, x=0.0, y=0, r=0.3)
        + _arc(0.5, 1.0, points=7, x=0.6, y=0, r=0.3),
        0.09,
    ),
    "hook": polyline([(0.35, -0.9), (0.35, 0.3), *_arc(0.0, 0.5, points=7, x=0.0, y=0.3, r=0.35)], 0.09),
    "loop": polyline([(-0.9, 0.6), *_arc(0.2, 1.3, points=10, x=0.0, y=-0.2, r=0.5), (0.9, 0.6)], 0.09),
    "line": polyline([(-0.9, 0.0), (0.9, 0.0)], 0.09),
    "tick": polyline([(-0.8, 0.0), (-0.3, 0.6), (0.8, -0.7)], 0.09),
    "fork": segments([((0, 0.9), (0, -0.1)), ((0, -0.1), (-0.6, -0.9)), ((0, -0.1), (0.6, -0.9))], 0.09),
    "curl": polyline(_spiral(1.1, 10), 0.09),
}
