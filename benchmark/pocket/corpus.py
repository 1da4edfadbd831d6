"""Image-caption pairs of the pocket world, mixed in two ways, to pretrain on."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.pocket import captions
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

# the other shapes, textures and runes are left to the tasks of new concepts
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
    if subject == "object":  # u[3]: size, u[4]: without the shape
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


def _attributes(
    subject: str, key: str, n: int, colours: Sequence[str] = BASIC_COLOURS
) -> tuple[str, dict[str, list[str]]]:
    """The scene of a subject, and n times the attributes that its captions may speak of. colours: of the foreground."""

    def some(what: str, options: Sequence[str]) -> list[str]:
        return [options[k] for k in choices(uniforms(f"{key}/{what}", n, 1)[:, 0], len(options))]

    # the background is one of the 11 basic colours that are not the foreground: indices from its own on shift by 1;
    # 12 stands for a shade, which shifts nothing, so that its background is never gray, the last of the 12
    fore = some("colour", colours)
    other = choices(uniforms(f"{key}/background", n, 1)[:, 0], len(BASIC_COLOURS) - 1)
    order = {name: k for k, name in enumerate(BASIC_COLOURS)}
    back = [BASIC_COLOURS[k + (k >= order.get(name, 12))] for k, name in zip(other, fore, strict=True)]
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


@dataclass(frozen=True)
class Corpus:
    """What pairs are drawn from. mixtures: shares of the subjects in each diet.  colours: of the foreground, as often as named.

    styles: how pictures are drawn, with the share of each.  caption: writes one from `words` numbers of chance.
    """

    mixtures: dict[str, dict[str, float]]
    colours: tuple[str, ...]
    styles: tuple[tuple[float, Style], ...]
    caption: Callable[[str, Attributes, Sequence[float], int], str]
    words: int


FIRST = Corpus(MIXTURES, tuple(BASIC_COLOURS), ((1.0, STYLE),), _sentences, 5)

# Shades that the second corpus shows; the other half of them are left to a task, in which only the combination is new.
KNOWN_SHADES = (
    *("dark red", "dark green", "dark purple", "dark orange", "dark brown"),
    *("light blue", "light yellow", "light brown", "light pink"),
)
# Each diet of the second corpus has at least a little of nearly everything, as web corpora do: otherwise half of the models would
# start at chance on the other diet's tasks.
SECOND = Corpus(
    mixtures={
        "things": {
            **{"object": 0.25, "count": 0.17, "relation": 0.11, "place": 0.14},
            **{"digit": 0.13, "texture": 0.09, "letter": 0.06, "stroke": 0.05},
        },
        "signs": {
            **{"texture": 0.18, "letter": 0.22, "stroke": 0.14, "gradient": 0.08},
            **{"digit": 0.12, "object": 0.14, "count": 0.06, "place": 0.06},
        },
    },
    # 33 entries: a basic colour has chance 2/33, a shade 1/33
    colours=tuple(BASIC_COLOURS) * 2 + KNOWN_SHADES,
    styles=(
        (0.55, STYLE),
        (0.15, Style(tilt=0.03, noise=14.0, clutter=2)),
        (0.15, Style(tilt=0.03, noise=5.0, contrast=0.7)),
        (0.15, Style(tilt=0.06, noise=5.0, shade=0.3)),
    ),
    caption=captions.caption,
    words=captions.WORDS,
)


def pairs(mixture: str, key: str, n: int, corpus: Corpus = FIRST) -> tuple[Images, list[str]]:
    """n image-caption pairs of a mixture: uint8 (n, 32, 32, 3) and n captions, in random order."""
    shares = corpus.mixtures[mixture]
    subject_of = _dealt(f"{key}/subject", list(shares.values()), n)
    # (n,) places in the mixture and in the styles, independent of each other
    style_of = _dealt(f"{key}/style", [share for share, _ in corpus.styles], n)
    images, texts = np.empty((n, 32, 32, 3), np.uint8), [""] * n
    for k, subject in enumerate(shares):
        for s, (_, style) in enumerate(corpus.styles):
            # `draw` takes one scene and one style, so pairs are drawn group by group and put back into their rows
            at = np.flatnonzero((subject_of == k) & (style_of == s))
            if not len(at):
                continue
            # the key of a single style has no number: the weights of the first generation depend on these bytes
            part = f"{key}/{subject}" if len(corpus.styles) == 1 else f"{key}/{subject}/{s}"
            scene, attributes = _attributes(subject, part, len(at), corpus.colours)
            images[at] = draw(scene, part, len(at), attributes, style)
            u = uniforms(f"{part}/words", len(at), corpus.words)
            for j, i in enumerate(at):
                texts[i] = corpus.caption(subject, attributes, u[j].tolist(), j)
    return images, texts


def _dealt(key: str, shares: Sequence[float], n: int) -> NDArray[np.int64]:
    """n times one of the shares' places by chance, each as often as its share says."""
    bounds = np.cumsum(shares) / sum(shares)
    # "right": u equal to an upper end belongs to the next share
    return np.searchsorted(bounds, uniforms(key, n, 1)[:, 0], side="right")


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


def fingerprint(mixture: str, n: int = 64, corpus: Corpus = FIRST) -> str:
    """Hash of the first pairs of a mixture, pinned by a test."""
    images, texts = pairs(mixture, "fingerprint", n, corpus)
    return hashlib.sha256(images.tobytes() + "\n".join(texts).encode()).hexdigest()
