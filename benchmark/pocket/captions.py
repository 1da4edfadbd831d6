"""Captions of the second corpus: several ways to say the same, and words that do not matter, as people write them.

Every caption keeps its subject; which synonym names it, what else is mentioned, and in which frame, is chance. Texts are so not one
fixed string per picture, and a prompt that the corpus never used lies among captions instead of outside them.
"""

from collections.abc import Mapping, Sequence

# a row of uniforms (n, WORDS) per caption, so another count would change every caption
WORDS = 12  # numbers in [0, 1) that one caption takes

LEADS = (
    *("", "", "", "a picture of", "a drawing of", "an image of", "a photo of", "a sketch of", "an icon of"),
    *("this is", "here is", "there is", "we see", "it shows", "a small picture of", "a scan of", "look at"),
)
# what web captions are full of: true of nothing in the picture
ASIDES = (
    *("on paper", "for school", "by a child", "in a book", "from the web", "no copyright", "page two", "for sale"),
    *("made by hand", "of last year", "in my album", "as a poster", "with love", "free download", "new", "old"),
)
# a repeated entry raises its chance: the name itself has at least one half
SAME: dict[str, tuple[str, ...]] = {
    "circle": ("circle", "circle", "disc", "round shape"),
    "square": ("square", "square", "box", "block"),
    "triangle": ("triangle", "triangle", "three-sided shape", "wedge"),
    "diamond": ("diamond", "diamond", "rhombus"),
    "star": ("star", "star", "five-pointed star"),
    "cross": ("cross", "cross", "plus sign"),
    "ring": ("ring", "ring", "hoop", "hollow circle"),
    "bar": ("bar", "bar", "plank", "beam"),
    "hexagon": ("hexagon", "hexagon", "six-sided shape"),
    "crescent": ("crescent", "crescent", "moon"),
    "stripes": ("stripes", "stripes", "striped", "stripe"),
    "checks": ("checks", "checks", "checked", "chessboard"),
    "dots": ("dots", "dots", "dotted", "spotted"),
    "grid": ("grid", "grid", "mesh"),
    "rings": ("rings", "rings", "ringed", "concentric"),
    "waves": ("waves", "waves", "wavy"),
    "bricks": ("bricks", "bricks", "brick wall"),
    "spokes": ("spokes", "spokes", "radial"),
    "zigzags": ("zigzags", "zigzags", "zigzag"),
    "diamonds": ("diamonds", "diamonds", "diamond"),
    "purple": ("purple", "purple", "violet"),
    "gray": ("gray", "gray", "grey"),
    "cyan": ("cyan", "cyan", "turquoise"),
    "tiny": ("tiny", "very small"),
    "large": ("large", "big"),
    "center": ("center", "middle"),
    "above": ("above", "over"),
    "below": ("below", "under"),
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
}
PLURALS = {"box": "boxes", "cross": "crosses"}
KINDS = ("texture", "texture", "pattern", "surface")
MARKS = ("stroke", "stroke", "curve", "mark")


def _one(options: Sequence[str], u: float) -> str:
    return options[int(u * len(options))]


def _named(name: str, u: float) -> str:
    """A name or one of its synonyms; of two words, such as 'dark purple', the last is replaced."""
    # a name that is a key as a whole, such as 'left of', is replaced as a whole
    before, _, last = name.rpartition(" ") if name not in SAME else ("", "", name)
    return f"{before} {_one(SAME.get(last, (last,)), u)}".strip()


def _several(noun: str) -> str:
    return PLURALS.get(noun, noun + "s")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def caption(subject: str, known: Mapping[str, Sequence[str]], u: Sequence[float], i: int) -> str:
    """A caption of picture i, by WORDS numbers of chance."""

    def name(what: str, at: int) -> str:
        # a prime multiple modulo 1 is nearly uniform even below a threshold of u[at], so synonyms stay balanced
        return _named(known[what][i], (u[at] * 7919) % 1)  # the same number also decides whether it is mentioned

    colour = f"{name('colour', 1)} " if u[1] < 0.65 else ""
    size = f"{name('size', 2)} " if "size" in known and u[2] < 0.4 else ""
    plain = subject in ("object", "place") and u[4] < 0.12  # does not name the shape
    noun = "object" if plain or subject not in ("object", "place", "count", "relation") else name("shape", 5)
    where = f" in the {name('place', 6)}" if "place" in known else ""
    if subject in ("object", "place"):
        # a caption without shape and place names the colour in any case: "a red object"
        body = _with_article(f"{size}{name('colour', 1) + ' ' if plain and not where else colour}{noun}") + where
    elif subject == "count":
        number = known["number"][i]
        noun = "object" if u[4] < 0.25 else noun
        body = f"{number} {colour}{noun if number == 'one' else _several(noun)}"
    elif subject == "relation":
        # "an object above another": only the relation is left
        second, noun = ("another", "object") if u[4] < 0.25 else (_with_article(name("second", 7)), noun)
        body = f"{_with_article(colour + noun)} {name('relation', 8)} {second}"
    elif subject == "texture":
        ground = f" on {name('background', 3)}" if u[3] < 0.3 else ""
        body = _with_article(f"{colour}{name('texture', 5)} {_one(KINDS, u[7])}") + ground
    elif subject == "gradient":
        named = f" from {name('colour', 1)} to {name('background', 3)}" if u[1] < 0.7 else ""
        body = f"{_one(('a gradient', 'a gradient', 'a fading'), u[7])}{named} {known['direction'][i]}"
    elif subject == "stroke":
        body = _with_article(f"{colour}{known['stroke'][i]} {_one(MARKS, u[7])}")
    else:
        kind = _one(("digit", "digit", "number", "figure") if subject == "digit" else ("letter",), u[7])
        kind = kind if u[8] < 0.9 else "character"
        body = f"the {colour}{kind} {known['glyph'][i]}"
    if subject in ("object", "place", "count", "digit", "letter", "stroke") and u[3] < 0.35:
        body += f" on {_with_article(name('background', 3))} background"
    lead, aside = _one(LEADS, u[0]), f" {_one(ASIDES, u[10])}" if u[9] < 0.2 else ""
    return " ".join(f"{lead} {body}{aside}".split())
