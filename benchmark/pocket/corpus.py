"""Image-caption pairs of the pocket world, mixed in two ways, to pretrain on."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from benchmark.pocket.marks import GLYPHS, SHAPES, STROKES, TEXTURES
from benchmark.pocket.world import (
    BASIC_COLOURS,
    DIRECTIONS,
    NUMBERS,
    PLACES,
    RELATIONS,
    SIZES,
    Attributes,
    Images,
    Style,
    draw,
)
from benchmark.tasks.hashed_random import choices, uniforms

SEEN_SHAPES, SEEN_TEXTURES = list(SHAPES)[:10], list(TEXTURES)[:10]
DIGITS, LETTERS = list(GLYPHS)[:10], list(GLYPHS)[10:36]
PLURAL = {name: name + "s" for name in SEEN_SHAPES} | {"cross": "crosses"}

# Shares of the subjects in the two diets. "things" teaches objects, colours, numbers and places; "signs" teaches surfaces and writing.
# Each sees a little of the other's, as web corpora overlap.
MIXTURES: dict[str, dict[str, float]] = {
    "things": {"object": 0.38, "count": 0.14, "relation": 0.10, "place": 0.10, "digit": 0.14, "texture": 0.14},
    "signs": {"texture": 0.20, "letter": 0.24, "stroke": 0.16, "gradient": 0.12, "digit": 0.08, "object": 0.20},
}

_LEADS = ["a picture of", "a drawing of", "an image of", ""]


def _sentences(subject: str, a: Attributes, u: Sequence[float], i: int) -> str:
    """The caption of picture i; its details are left out by chance, the subject never is."""
    lead = _LEADS[int(u[0] * len(_LEADS))]
    colour = f"{a['colour'][i]} " if u[1] < 0.6 else ""
    ground = f" on a {a['background'][i]} background" if u[2] < 0.4 else ""
    if subject == "object":
        size = f"{a['size'][i]} " if u[3] < 0.4 else ""
        noun = f"{size}{colour}{a['shape'][i]}"
        body = f"a {a['colour'][i]} object" if u[4] < 0.12 else f"a {noun}"
    elif subject == "place":
        body = f"a {colour}{a['shape'][i]} in the {a['place'][i]}"
    elif subject == "count":
        number, shape = a["number"][i], a["shape"][i]
        body = f"{number} {colour}{shape if number == 'one' else PLURAL[shape]}"
        body = f"{number} objects" if u[3] < 0.2 and number != "one" else body
    elif subject == "relation":
        body = f"a {colour}{a['shape'][i]} {a['relation'][i]} a {a['second'][i]}"
        body = f"an object {a['relation'][i]} another" if u[3] < 0.2 else body
    elif subject == "texture":
        body = f"a {colour}{a['texture'][i]} texture" + (f" on {a['background'][i]}" if u[3] < 0.3 else "")
    elif subject == "gradient":
        named = f" from {a['colour'][i]} to {a['background'][i]}" if "colour" in a and u[1] < 0.7 else ""
        body = f"a gradient{named} {a['direction'][i]}"
    elif subject == "stroke":
        body = f"a {colour}{a['stroke'][i]} stroke"
    else:
        body = f"the {colour}{'digit' if subject == 'digit' else 'letter'} {a['glyph'][i]}"
    return " ".join(f"{lead} {body}{ground if subject in ('object', 'digit', 'letter', 'stroke') else ''}".split())


def _attributes(subject: str, key: str, n: int) -> tuple[str, dict[str, list[str]]]:
    """The scene of a subject, and n times the attributes that its captions may speak of."""

    def some(what: str, options: Sequence[str]) -> list[str]:
        return [options[k] for k in choices(uniforms(f"{key}/{what}", n, 1)[:, 0], len(options))]

    fore = some("colour", BASIC_COLOURS)
    other = choices(uniforms(f"{key}/background", n, 1)[:, 0], len(BASIC_COLOURS) - 1)
    order = {name: k for k, name in enumerate(BASIC_COLOURS)}
    back = [BASIC_COLOURS[k + (k >= order[name])] for k, name in zip(other, fore, strict=True)]
    tints = {"colour": fore, "background": back}
    makers: dict[str, Callable[[], tuple[str, dict[str, list[str]]]]] = {
        "object": lambda: ("object", tints | {"shape": some("shape", SEEN_SHAPES), "size": some("size", list(SIZES))}),
        "place": lambda: (
            "object",
            tints | {"shape": some("shape", SEEN_SHAPES), "place": some("place", list(PLACES))},
        ),
        "count": lambda: (
            "count",
            tints | {"shape": some("shape", SEEN_SHAPES), "number": some("number", NUMBERS[:6])},
        ),
        "relation": lambda: (
            "relation",
            tints
            | {
                "shape": some("shape", SEEN_SHAPES),
                "second": some("second", SEEN_SHAPES),
                "relation": some("relation", RELATIONS),
            },
        ),
        "texture": lambda: ("texture", tints | {"texture": some("texture", SEEN_TEXTURES)}),
        "gradient": lambda: ("gradient", tints | {"direction": some("direction", list(DIRECTIONS))}),
        "stroke": lambda: ("stroke", tints | {"stroke": some("stroke", list(STROKES))}),
        "digit": lambda: ("glyph", tints | {"glyph": some("glyph", DIGITS)}),
        "letter": lambda: ("glyph", tints | {"glyph": some("glyph", LETTERS)}),
    }
    return makers[subject]()


STYLE = Style(tilt=0.03, noise=5.0, shade=0.1)


def pairs(mixture: str, key: str, n: int, style: Style = STYLE) -> tuple[Images, list[str]]:
    """n image-caption pairs of a mixture: uint8 (n, 32, 32, 3) and n captions, in random order."""
    shares = MIXTURES[mixture]
    bounds = np.cumsum(list(shares.values())) / sum(shares.values())
    subject_of = np.searchsorted(bounds, uniforms(f"{key}/subject", n, 1)[:, 0], side="right")
    images, captions = np.empty((n, 32, 32, 3), np.uint8), [""] * n
    for k, subject in enumerate(shares):
        at = np.flatnonzero(subject_of == k)
        if not len(at):
            continue
        scene, attributes = _attributes(subject, f"{key}/{subject}", len(at))
        images[at] = draw(scene, f"{key}/{subject}", len(at), attributes, style)
        u = uniforms(f"{key}/{subject}/words", len(at), 5)
        for j, i in enumerate(at):
            captions[i] = _sentences(subject, attributes, u[j].tolist(), j)
    return images, captions


def vocabulary() -> list[str]:
    """The concepts of the corpus as captions, one each: the source vocabulary for scores that read a source posterior."""
    return (
        [f"a {s}" for s in SEEN_SHAPES]
        + [f"a {c} object" for c in BASIC_COLOURS]
        + [f"{n} objects" for n in NUMBERS[1:6]]
        + [f"a {s} in the {p}" for p in PLACES for s in ("circle",)]
        + [f"an object {r} another" for r in RELATIONS]
        + [f"a {t} texture" for t in SEEN_TEXTURES]
        + [f"a gradient {d}" for d in DIRECTIONS]
        + [f"a {s} stroke" for s in STROKES]
        + [f"the digit {d}" for d in DIGITS]
        + [f"the letter {c}" for c in LETTERS]
    )


def fingerprint(mixture: str, n: int = 64) -> str:
    """Hash of the first pairs of a mixture, pinned by a test."""
    images, captions = pairs(mixture, "fingerprint", n)
    return hashlib.sha256(images.tobytes() + "\n".join(captions).encode()).hexdigest()
