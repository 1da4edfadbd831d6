"""The pocket world: small pictures of known content, the same bytes on every machine, thousands a second.

`draw(scene, names, key, ...)` draws one 32x32 picture for each name. What the name does not fix (colours, place, size, ...)
is drawn by chance from `key`. A scene is a function in `SCENES`; a task's card names one and passes it options, and the
pretraining corpus draws from the same functions, so that a task can be made of what a model has seen, or of what it has not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.pocket.marks import GLYPHS, SHAPES, STROKES, TEXTURES, Mark, Plane, turn
from benchmark.tasks.hashed_random import Floats, choices, normals, uniforms

SIZE = 32  # S, pixels a side
VERSION = 1  # part of every task's fingerprint: raise it whenever a byte of any picture changes
Images = NDArray[np.uint8]  # (n, S, S, 3)
Colour = NDArray[np.float32]  # (n, 3) in 0..255

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 35, 35),
    "orange": (245, 140, 25),
    "yellow": (245, 225, 50),
    "green": (40, 160, 60),
    "cyan": (60, 205, 215),
    "blue": (40, 70, 210),
    "purple": (130, 50, 170),
    "pink": (245, 130, 180),
    "brown": (120, 75, 40),
    "white": (245, 245, 245),
    "black": (18, 18, 18),
    "gray": (128, 128, 128),
    # never in the corpus
    "crimson": (150, 10, 50),
    "coral": (250, 120, 95),
    "gold": (205, 165, 20),
    "olive": (120, 120, 25),
    "lime": (165, 235, 40),
    "teal": (15, 120, 120),
    "navy": (10, 15, 95),
    "indigo": (75, 20, 130),
    "lavender": (195, 175, 240),
    "magenta": (225, 30, 200),
    "beige": (230, 210, 170),
    "mint": (155, 240, 190),
}
BASIC_COLOURS = list(COLOURS)[:12]
SHADED = BASIC_COLOURS[:9]  # white, black and gray have no dark and light shades of their own


def _shade(name: str, part: float, end: int) -> tuple[int, int, int]:
    """A basic colour on its way to black (end 0) or to white (end 255)."""
    red, green, blue = (round(level + part * (end - level)) for level in COLOURS[name])
    return red, green, blue


SHADES = {f"dark {name}": _shade(name, 0.5, 0) for name in SHADED}
SHADES |= {f"light {name}": _shade(name, 0.5, 255) for name in SHADED}
# after the slices above, so that indices 0 to 11 stay the basic colours
COLOURS.update(SHADES)
PLACES = {
    "top left": (-1, -1),
    "top": (0, -1),
    "top right": (1, -1),
    "left": (-1, 0),
    "center": (0, 0),
    "right": (1, 0),
    "bottom left": (-1, 1),
    "bottom": (0, 1),
    "bottom right": (1, 1),
}
SIZES = {"tiny": 0.36, "small": 0.48, "medium": 0.62, "large": 0.8}
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
DIRECTIONS = {  # in parts of a turn, from the first colour to the second; clockwise, as y points down
    "left to right": 0.0,
    "top left to bottom right": 0.125,
    "top to bottom": 0.25,
    "top right to bottom left": 0.375,
    "right to left": 0.5,
    "bottom right to top left": 0.625,
    "bottom to top": 0.75,
    "bottom left to top right": 0.875,
}


@dataclass(frozen=True)
class Style:
    """How a scene is drawn, apart from what it shows. Every option leaves the picture alone by default.

    tilt: largest rotation to either side, in parts of a turn.  noise: deviation of the added noise, in grey levels.
    invert, gray: of the finished picture.  outline: marks as thin outlines.  fill: a texture in the marks, by name.
    contrast: 1 keeps it.  hide: side of a grey square put somewhere, in parts of the picture.  shade: strength of a
    lighting gradient.  mirror: left for right in half of the pictures.  clutter: number of small distracting specks.
    """

    tilt: float = 0.02
    noise: float = 3.0
    invert: bool = False
    gray: bool = False
    outline: bool = False
    fill: str = ""
    contrast: float = 1.0
    hide: float = 0.0
    shade: float = 0.0
    mirror: bool = False
    clutter: int = 0


class Canvas:
    """A batch of pictures being drawn: coordinates (n, 32, 32), colours (n, 32, 32, 3) in 0..255, and its own chance."""

    def __init__(self, key: str, n: int, style: Style) -> None:
        self.key, self.n, self.style = key, n, style
        line = ((np.arange(SIZE, dtype=np.float32) + np.float32(0.5)) / np.float32(SIZE / 2)) - np.float32(1)
        t = (self.chance("tilt", 1)[:, 0] * 2 - 1) * style.tilt * 3.14159265  # tan(angle/2), to first order
        # rational in t, so exactly rounded, and cos^2 + sin^2 = 1 for any t
        cos, sin = ((1 - t * t) / (1 + t * t)).astype(np.float32), (2 * t / (1 + t * t)).astype(np.float32)
        x, y = np.broadcast_to(line, (n, SIZE, SIZE)), np.broadcast_to(line[:, None], (n, SIZE, SIZE))
        self.x: Plane = _each(cos) * x + _each(sin) * y
        self.y: Plane = _each(cos) * y - _each(sin) * x
        self.pixels: NDArray[np.float32] = np.zeros((n, SIZE, SIZE, 3), np.float32)

    def chance(self, what: str, k: int = 1) -> Floats:
        return uniforms(f"{self.key}/{what}", self.n, k)

    def fill(self, colours: Colour) -> None:
        self.pixels[:] = colours[:, None, None, :]

    def blend(self, amount: Plane, colours: Colour) -> None:
        self.pixels += amount[..., None] * (colours[:, None, None, :] - self.pixels)

    def paint(
        self,
        marks: Sequence[Mark],
        which: NDArray[np.int64],
        x: Floats,
        y: Floats,
        size: Floats,
        colours: Colour,
        rows: NDArray[np.bool_] | None = None,
    ) -> None:
        """Paint mark `which[i]` on picture i, centred at (x, y) with half-width `size`; `rows` limits it to some pictures."""
        some = np.ones(self.n, bool) if rows is None else rows
        for m in np.unique(which[some]):
            at = np.flatnonzero((which == m) & some)
            scale = _each(size[at].astype(np.float32))
            px = (self.x[at] - _each(x[at].astype(np.float32))) / scale
            py = (self.y[at] - _each(y[at].astype(np.float32))) / scale
            distance = marks[m](px, py)
            if self.style.outline:
                distance = np.abs(distance + np.float32(0.1)) - np.float32(0.1)  # a band of 0.2 inside the edge
            # the distance in pixels; an edge one pixel wide, in place of anti-aliasing by more samples
            cover = np.clip(np.float32(0.5) - distance * scale * np.float32(SIZE / 2), np.float32(0), np.float32(1))
            if self.style.fill:
                texture = TEXTURES[self.style.fill](px * np.float32(1.5), py * np.float32(1.5))
                # never below 1/4, so the shape can be seen
                cover = cover * (np.float32(0.25) + np.float32(0.75) * texture)
            self.pixels[at] += cover[..., None] * (colours[at][:, None, None, :] - self.pixels[at])

    def finish(self) -> Images:
        """Apply the style and round to bytes."""
        # the order matters: noise comes after contrast and gray, which would weaken it
        s, out = self.style, self.pixels
        if s.clutter:
            for k in range(s.clutter):
                u = self.chance(f"clutter{k}", 4)
                tint = colours_of(choices(u[:, 3], len(BASIC_COLOURS)))
                self.paint(
                    [SHAPES["circle"]],
                    np.zeros(self.n, np.int64),
                    x=u[:, 0] * 2 - 1,
                    y=u[:, 1] * 2 - 1,
                    size=0.06 + 0.08 * u[:, 2],
                    colours=tint,
                )
        if s.hide:
            u = self.chance("hide", 2) * (2 - 2 * s.hide) - (1 - s.hide)  # its centre, such that all of it is inside
            near = np.maximum(
                np.abs(self.x - _each(u[:, 0].astype(np.float32))), np.abs(self.y - _each(u[:, 1].astype(np.float32)))
            )
            out[near < s.hide] = 110  # a half-width of `hide`, since the picture's is 1
        if s.shade:
            u = self.chance("shade", 2) * 2 - 1
            light = _each(u[:, 0].astype(np.float32)) * self.x + _each(u[:, 1].astype(np.float32)) * self.y
            out *= (np.float32(1) + np.float32(s.shade) * np.clip(light, np.float32(-1), np.float32(1)))[..., None]
        if s.contrast != 1:
            out[:] = np.float32(128) + np.float32(s.contrast) * (out - np.float32(128))
        if s.gray:
            out[:] = (out[..., :1] + out[..., 1:2] + out[..., 2:]) / np.float32(3)
        if s.noise:
            out += np.float32(s.noise) * normals(f"{self.key}/noise", self.n, SIZE * SIZE * 3).reshape(out.shape)
        if s.invert:
            out[:] = np.float32(255) - out
        if s.mirror:
            flip = self.chance("mirror")[:, 0] < 0.5
            out[flip] = out[flip][:, :, ::-1]
        return np.floor(np.clip(out, np.float32(0), np.float32(255)) + np.float32(0.5)).astype(np.uint8)


def _each(values: NDArray[np.float32]) -> Plane:
    return values[:, None, None]


_PALETTE = np.array(list(COLOURS.values()), np.float32)


def colours_of(index: NDArray[np.int64], jitter: Floats | None = None) -> Colour:
    """RGB of palette rows, each channel moved by up to 18 levels where `jitter` (n, 3) in 0..1 is given."""
    rgb: Colour = _PALETTE[index]
    return (
        rgb
        if jitter is None
        else np.clip(rgb + ((jitter - 0.5) * 36).astype(np.float32), np.float32(0), np.float32(255))
    )


def two_colours(u: Floats, first: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A basic colour and a clearly different one for each row; `first` fixes the former."""
    a = choices(u[:, 0], len(BASIC_COLOURS)) if first is None else first
    far = np.abs(_PALETTE[a][:, None, :] - _PALETTE[None, : len(BASIC_COLOURS), :])  # (n, 12, 3)
    allowed = (far[..., 0] + far[..., 1] + far[..., 2]) > 190  # of at most 765; black or white always is
    order = np.floor(u[:, 1] * allowed.sum(1)).astype(np.int64)
    return a, (np.cumsum(allowed, 1) > order[:, None]).argmax(1)


Attributes = Mapping[str, Sequence[str]]
Scene = Callable[[Canvas, Attributes], None]


def _pick(canvas: Canvas, known: Attributes, what: str, options: Sequence[str]) -> NDArray[np.int64]:
    """Row of `options` for every picture: the attribute asked for, or one by chance."""
    if what in known:
        index = {name: i for i, name in enumerate(options)}
        return np.array([index[name] for name in known[what]], np.int64)
    return choices(canvas.chance(what)[:, 0], len(options))


def _colours(canvas: Canvas, known: Attributes) -> tuple[Colour, Colour]:
    """Foreground and background, clearly different, the named ones kept."""
    u = canvas.chance("colours", 8)
    palette = list(COLOURS)
    # any colour if named, but by chance only one of the corpus's basic colours
    fore = _pick(canvas, known, "colour", palette if "colour" in known else BASIC_COLOURS)
    a, b = two_colours(u, fore)
    if "background" in known:
        b = _pick(canvas, known, "background", palette)
    return colours_of(a, u[:, 2:5]), colours_of(b, u[:, 5:8])


def _seen_shapes(known: Attributes) -> list[str]:
    # by chance only shapes of the corpus, so that a task's novelty is in its classes alone
    return list(SHAPES) if "shape" in known else list(SHAPES)[:10]


def object_scene(canvas: Canvas, known: Attributes) -> None:
    """One shape: attributes shape, colour, background, size, place."""
    fore, back = _colours(canvas, known)
    names = _seen_shapes(known)
    shape, size = _pick(canvas, known, "shape", names), _pick(canvas, known, "size", list(SIZES))
    radius = np.array(list(SIZES.values()))[size] * (0.9 + 0.2 * canvas.chance("radius")[:, 0])
    u = canvas.chance("place", 2)
    room = np.maximum(1 - radius, 0.05)
    if "place" in known:
        radius = np.minimum(radius, 0.46)  # at most 0.54 + 0.08 + 0.46: nearly inside the picture at every place
        spot = np.array([PLACES[p] for p in known["place"]], np.float64)
        x, y = spot[:, 0] * 0.54 + (u[:, 0] - 0.5) * 0.16, spot[:, 1] * 0.54 + (u[:, 1] - 0.5) * 0.16
    else:
        x, y = (u[:, 0] * 2 - 1) * room, (u[:, 1] * 2 - 1) * room
    canvas.fill(back)
    canvas.paint([SHAPES[s] for s in names], shape, x=x, y=y, size=radius, colours=fore)


def count_scene(canvas: Canvas, known: Attributes) -> None:
    """One to nine equal shapes, scattered over a three by three grid: attributes number, shape, colour."""
    fore, back = _colours(canvas, known)
    number = _pick(canvas, known, "number", NUMBERS if "number" in known else NUMBERS[:6]) + 1
    names = _seen_shapes(known)
    shape = _pick(canvas, known, "shape", names)
    cells = np.argsort(canvas.chance("cells", 9), 1, kind="stable")  # (n, 9), a random order of the cells
    jitter = canvas.chance("jitter", 18).reshape(-1, 9, 2) - 0.5
    size = 0.22 + 0.06 * canvas.chance("radius")[:, 0]
    canvas.fill(back)
    for k in range(9):
        x = (cells[:, k] % 3 - 1) * 0.62 + jitter[:, k, 0] * 0.16
        y = (cells[:, k] // 3 - 1) * 0.62 + jitter[:, k, 1] * 0.16
        canvas.paint([SHAPES[s] for s in names], shape, x=x, y=y, size=size, colours=fore, rows=number > k)


def texture_scene(canvas: Canvas, known: Attributes) -> None:
    """A texture in two colours: attributes texture, colour, background."""
    fore, back = _colours(canvas, known)
    names = list(TEXTURES) if "texture" in known else list(TEXTURES)[:10]
    texture = _pick(canvas, known, "texture", names)
    u = canvas.chance("frame", 3)
    scale = _each((2.0 + 1.4 * u[:, 0]).astype(np.float32))  # periods in a half-width
    dx, dy = _each(u[:, 1].astype(np.float32)), _each(u[:, 2].astype(np.float32))
    canvas.fill(back)
    for m in np.unique(texture):
        at = np.flatnonzero(texture == m)
        value = TEXTURES[names[m]](canvas.x[at] * scale[at] + dx[at], canvas.y[at] * scale[at] + dy[at])
        canvas.pixels[at] += value[..., None] * (fore[at][:, None, None, :] - canvas.pixels[at])


def gradient_scene(canvas: Canvas, known: Attributes) -> None:
    """One colour passing into another: attributes direction (the side of the first colour first), colour, background."""
    fore, back = _colours(canvas, known)
    direction = _pick(canvas, known, "direction", list(DIRECTIONS))
    turns = np.array([turn(part) for part in DIRECTIONS.values()], np.float32)[direction]
    along = _each(turns[:, 0]) * canvas.x + _each(turns[:, 1]) * canvas.y
    if "colour" not in known:  # without named colours only light and dark tell the two ends apart
        tint = _each((canvas.chance("tint")[:, 0] * 60).astype(np.float32))[..., 0]
        fore, back = np.full_like(fore, 235) - tint, np.full_like(back, 20) + tint
    canvas.fill(fore)
    # both ends are flat beyond |along| = 0.91
    canvas.blend(np.clip(along * np.float32(0.55) + np.float32(0.5), np.float32(0), np.float32(1)), back)


def _sign(
    canvas: Canvas, known: Attributes, what: str, marks: dict[str, Mark], usual: Sequence[str], lowest: float
) -> None:
    fore, back = _colours(canvas, known)
    names = list(marks) if what in known else list(usual)
    u = canvas.chance("sign", 3)
    size = lowest + (0.85 - lowest) * u[:, 0]
    room = np.maximum(0.95 - size, 0.02)
    canvas.fill(back)
    canvas.paint(
        [marks[m] for m in names],
        _pick(canvas, known, what, names),
        x=(u[:, 1] * 2 - 1) * room,
        y=(u[:, 2] * 2 - 1) * room,
        size=size,
        colours=fore,
    )


def glyph_scene(canvas: Canvas, known: Attributes) -> None:
    """One character or rune: attributes glyph, colour, background."""
    _sign(canvas, known, "glyph", marks=GLYPHS, usual=list(GLYPHS)[:36], lowest=0.55)


def stroke_scene(canvas: Canvas, known: Attributes) -> None:
    """One curve: attributes stroke, colour, background."""
    _sign(canvas, known, "stroke", marks=STROKES, usual=list(STROKES), lowest=0.5)


def relation_scene(canvas: Canvas, known: Attributes) -> None:
    """Two shapes, the first above, below, left of or right of the second: attributes relation, shape, second, colour, other."""
    fore, back = _colours(canvas, known)
    u = canvas.chance("relation-place", 6)
    names = _seen_shapes(known)
    # from the middle to the first shape, y down
    step = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)], np.float64)[_pick(canvas, known, "relation", RELATIONS)]
    side = (u[:, :2] - 0.5) * 0.5 * (1 - np.abs(step))  # across the step only
    size = 0.34 + 0.08 * u[:, 2]
    second = _pick(canvas, known, "second", list(SHAPES)[:10])
    other = colours_of(_pick(canvas, known, "other", list(COLOURS)), u[:, 3:]) if "other" in known else fore
    canvas.fill(back)
    everything = [SHAPES[s] for s in SHAPES]
    canvas.paint(
        everything, second, x=-step[:, 0] * 0.5 - side[:, 0], y=-step[:, 1] * 0.5 - side[:, 1], size=size, colours=other
    )
    canvas.paint(
        [SHAPES[s] for s in names],
        _pick(canvas, known, "shape", names),
        x=step[:, 0] * 0.5 + side[:, 0],
        y=step[:, 1] * 0.5 + side[:, 1],
        size=size,
        colours=fore,
    )


def clock_scene(canvas: Canvas, known: Attributes) -> None:
    """A dial whose hand shows the hour: attributes hour, colour, background. Never in the corpus."""
    fore, back = _colours(canvas, known)
    hour = _pick(canvas, known, "hour", HOURS)
    u = canvas.chance("dial", 3)
    x, y, size = (u[:, 0] - 0.5) * 0.3, (u[:, 1] - 0.5) * 0.3, 0.65 + 0.2 * u[:, 2]
    nothing = np.zeros(canvas.n, np.int64)
    canvas.fill(back)
    canvas.paint(
        [lambda a, b: np.abs(np.sqrt(a * a + b * b) - np.float32(0.9)) - np.float32(0.07)],
        nothing,
        x=x,
        y=y,
        size=size,
        colours=fore,
    )
    canvas.paint([_hand(k / 12) for k in range(1, 13)], hour, x=x, y=y, size=size, colours=fore)


def _hand(part: float) -> Mark:
    c, s = turn(part - 0.25)  # twelve o'clock is up

    def mark(x: Plane, y: Plane) -> Plane:
        along, across = c * x + s * y, c * y - s * x
        return np.maximum(
            np.abs(across) - np.float32(0.09), np.maximum(along - np.float32(0.75), np.float32(-0.1) - along)
        )

    return mark


def die_scene(canvas: Canvas, known: Attributes) -> None:
    """The face of a die: attributes pips, colour, background. Never in the corpus."""
    fore, back = _colours(canvas, known)
    pips = _pick(canvas, known, "pips", NUMBERS[:6]) + 1
    u = canvas.chance("die", 3)
    x, y, size = (u[:, 0] - 0.5) * 0.3, (u[:, 1] - 0.5) * 0.3, 0.6 + 0.25 * u[:, 2]
    nothing = np.zeros(canvas.n, np.int64)
    canvas.fill(back)
    canvas.paint([SHAPES["square"]], nothing, x=x, y=y, size=size * 1.25, colours=fore)
    for px, py, shown in (  # place of a pip, and the faces that have it
        (0, 0, (1, 3, 5)),
        (-1, -1, (2, 3, 4, 5, 6)),
        (1, 1, (2, 3, 4, 5, 6)),
        (1, -1, (4, 5, 6)),
        (-1, 1, (4, 5, 6)),
        (-1, 0, (6,)),
        (1, 0, (6,)),
    ):
        canvas.paint(
            [SHAPES["circle"]],
            nothing,
            x=x + px * size * 0.5,
            y=y + py * size * 0.5,
            size=size * 0.17,
            colours=back,
            rows=np.isin(pips, shown),
        )


def ellipse_scene(canvas: Canvas, known: Attributes) -> None:
    """An ellipse of a named flatness: attributes flatness, colour, background. Fine-grained, never in the corpus."""
    fore, back = _colours(canvas, known)
    flat = _pick(canvas, known, "flatness", FLATNESSES)
    u = canvas.chance("ellipse", 3)
    marks = [_ellipse(1 + 0.22 * k) for k in range(len(FLATNESSES))]
    size = 0.45 + 0.35 * u[:, 2]
    canvas.fill(back)
    canvas.paint(
        marks, flat, x=(u[:, 0] * 2 - 1) * (0.95 - size), y=(u[:, 1] * 2 - 1) * (0.95 - size), size=size, colours=fore
    )


def _ellipse(flatness: float) -> Mark:
    k = np.float32(flatness)
    # half-axes 0.9 and 0.9 / k; the slope is k at most, hence / k
    return lambda x, y: (np.sqrt(x * x + k * k * y * y) - np.float32(0.9)) / k


def signal_scene(canvas: Canvas, known: Attributes) -> None:
    """A trace of a signal on dark paper, as on an oscilloscope: attributes signal. A new domain, never in the corpus."""
    signal = _pick(canvas, known, "signal", SIGNALS)
    u = canvas.chance("trace", 6)
    phase, rate, height, level, at = (u[:, k].astype(np.float32)[:, None, None] for k in range(5))
    x = canvas.x
    cycle = x * (np.float32(1) + rate) + phase
    wave = np.abs(cycle - np.floor(cycle) - np.float32(0.5)) * np.float32(4) - np.float32(1)
    spot = at - np.float32(0.5)
    step = np.clip((x - spot) * np.float32(20), np.float32(-1), np.float32(1))
    forms = [
        wave,  # triangle
        np.clip(wave * np.float32(8), np.float32(-1), np.float32(1)),  # square
        (cycle - np.floor(cycle)) * np.float32(2) - np.float32(1),  # saw
        np.maximum(np.float32(1) - np.abs(x - spot) * np.float32(6), np.float32(-0.6)),  # pulse
        step,
        -step,  # drop
        wave * np.clip((x + np.float32(1)) * np.float32(0.5), np.float32(0), np.float32(1)),  # growing
        wave * np.clip((np.float32(1) - x) * np.float32(0.5), np.float32(0), np.float32(1)),  # fading
    ]
    value = np.zeros_like(canvas.x)
    for k, form in enumerate(forms):
        value[signal == k] = form[signal == k]
    trace = value * (np.float32(0.35) + np.float32(0.3) * height) + (level - np.float32(0.5)) * np.float32(0.3)
    near = np.abs(canvas.y + trace)  # y points down: positive values are drawn upwards
    # a steep part moves far from pixel to pixel; without more width it would be dotted
    slope = np.abs(np.diff(trace, axis=2, prepend=trace[:, :, :1])) * np.float32(0.6)
    ink = np.clip((np.float32(0.09) + slope - near) * np.float32(14), np.float32(0), np.float32(1))
    canvas.fill(np.full((canvas.n, 3), (10, 25, 15), np.float32))
    canvas.blend(ink, np.full((canvas.n, 3), (120, 255, 140), np.float32))


def cell_scene(canvas: Canvas, known: Attributes) -> None:
    """Cells under a microscope, one of them dividing or none: attributes state. A new domain, never in the corpus."""
    state = _pick(canvas, known, "state", STATES)
    u = canvas.chance("cells", 24).reshape(-1, 6, 4)
    canvas.fill(np.full((canvas.n, 3), (235, 205, 215), np.float32))
    body, core = np.full((canvas.n, 3), (205, 140, 175), np.float32), np.full((canvas.n, 3), (95, 40, 120), np.float32)
    nothing = np.zeros(canvas.n, np.int64)
    disc = [SHAPES["circle"]]
    for k in range(6):
        x, y = (k % 3 - 1) * 0.62 + (u[:, k, 0] - 0.5) * 0.22, (k // 3 - 0.5) * 0.95 + (u[:, k, 1] - 0.5) * 0.3
        size = 0.26 + 0.09 * u[:, k, 2]
        divides = (state == 1) & (choices(u[:, 0, 3], 6) == k)
        canvas.paint(disc, nothing, x=x, y=y, size=size, colours=body)
        canvas.paint(disc, nothing, x=x, y=y, size=size * 0.45, colours=core, rows=~divides)
        for side in (-1, 1):
            canvas.paint(disc, nothing, x=x + side * size * 0.5, y=y, size=size * 0.33, colours=core, rows=divides)


RELATIONS = ["above", "below", "left of", "right of"]
HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
FLATNESSES = ["round", "near round", "oval", "long oval", "slim", "very slim"]
SIGNALS = ["triangle", "square", "saw", "pulse", "step", "drop", "growing", "fading"]
STATES = ["resting", "dividing"]

SCENES: dict[str, Scene] = {
    "object": object_scene,
    "count": count_scene,
    "texture": texture_scene,
    "gradient": gradient_scene,
    "glyph": glyph_scene,
    "stroke": stroke_scene,
    "relation": relation_scene,
    "clock": clock_scene,
    "die": die_scene,
    "ellipse": ellipse_scene,
    "signal": signal_scene,
    "cell": cell_scene,
}


def draw(scene: str, key: str, n: int, attributes: Attributes, style: Style = Style()) -> Images:
    """Draw n pictures of a scene, uint8 (n, 32, 32, 3); `attributes` fixes a name per picture for some of its attributes."""
    batches = []
    # 512 pictures are 6 MiB of float32; the key has the start, so more pictures leave the first ones as they are
    for start in range(0, n, 512):
        part = {what: names[start : start + 512] for what, names in attributes.items()}
        canvas = Canvas(f"{key}/{start}", min(512, n - start), style)
        SCENES[scene](canvas, part)
        batches.append(canvas.finish())
    return np.concatenate(batches)
