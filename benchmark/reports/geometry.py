"""The geometry of a suite's models: the positions of image and text embeddings, compared with those of released models.

`tools/geometry.py` measures it and writes one table per suite, `leaderboard/geometry/<suite>.csv`, with a row for every model and task;
health reads that table, so that it loads no model.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
from benchmark import files
from benchmark.embedding.cache import key_digest
from benchmark.errors import InputError, first_line
from benchmark.models import weights
from benchmark.models.model import Model

Floats = NDArray[np.float64]
NEAR_CHANCE = 0.05  # above which a zero-shot accuracy is more than guessing
CROWDED = 0.9  # mean image-image similarity above which a task lies on one spot
SATURATED = 0.98  # share of its own corpus's pairs that a model finds, above which it has nothing left to learn there


SCHEMA = {
    "model": pl.String,
    "task": pl.String,
    "classes": pl.Int64,
    **dict.fromkeys(
        ("logit_scale", "logit_bias", "modality_gap", "iimm_inter", "iimm_intra", "zero_shot", "own_corpus"), pl.Float64
    ),
    "identity": pl.String,
}


@dataclass(frozen=True)
class Place:
    """Geometry of one model on one task's train split, and its zero-shot test accuracy.

    own_corpus: accuracy at retrieving the caption of an image among 256 held-out pairs of the model's own corpus.
    identity: short fingerprints of weights and task, to tell whether a row is of the present ones.
    """

    model: str
    task: str
    classes: int  # number of them; chance is 1 / classes
    logit_scale: float  # factor of the cosine similarities
    logit_bias: float  # added to the scaled similarities; 0 for a softmax loss
    modality_gap: float  # ‖mean image − mean class text‖
    iimm_inter: float  # mean cosine of an image and the text of another class
    iimm_intra: float  # mean cosine of two images
    zero_shot: float  # in 0..1
    own_corpus: float
    identity: str  # WEIGHTS-TASK, 8 hexadecimal digits each

    @property
    def near_chance(self) -> bool:
        return self.zero_shot <= 1 / self.classes + NEAR_CHANCE


@dataclass(frozen=True)
class Summary:
    """The geometry of one model over its tasks; deviations are those of the tasks at hand (divided by their number)."""

    model: str
    logit_scale: float
    logit_bias: float
    modality_gap: float
    inter_mean: float
    inter_deviation: float
    intra_mean: float
    intra_deviation: float
    intra_above: int  # number of tasks with iimm_intra above CROWDED
    zero_shot_mean: float
    zero_shot_lowest: float
    zero_shot_highest: float
    near_chance: float  # share of tasks near chance, or below
    own_corpus: float

    @property
    def sigmoid(self) -> bool:
        """Whether the model was trained with a sigmoid loss, as SigLIP is: the softmax knows no bias."""
        return self.logit_bias != 0


@dataclass(frozen=True)
class Demand:
    """A range for one column of the summary; models with a bias may have one of their own, or none (`sigmoid` None)."""

    what: str
    column: str
    form: str
    softmax: tuple[float, float]
    sigmoid: tuple[float, float] | None

    def is_met(self, summary: Summary) -> bool:
        """Whether a model keeps the range, judged as printed: a figure never contradicts the verdict beside it."""
        allowed = self.sigmoid if summary.sigmoid else self.softmax
        return allowed is None or allowed[0] <= float(format(getattr(summary, self.column), self.form)) <= allowed[1]


# what, column, format, range for a softmax loss, range for a sigmoid loss; both ends of a range are allowed
DEMANDS = (
    Demand("logit scale", "logit_scale", ".0f", (90, math.inf), (60, math.inf)),
    Demand(
        "retrieval accuracy on its own corpus, among 256 pairs", "own_corpus", ".2f", (0, SATURATED), (0, SATURATED)
    ),
    Demand("modality gap, mean over tasks", "modality_gap", ".2f", (0.85, 1.2), (0.85, 1.4)),
    Demand("iimm_inter, mean over tasks", "inter_mean", ".2f", (0.05, 0.4), (-0.1, 0.2)),
    Demand("iimm_inter, deviation over tasks", "inter_deviation", ".3f", (0, 0.06), (0, 0.06)),
    Demand("iimm_intra, mean over tasks", "intra_mean", ".2f", (0.5, 0.8), (0.4, 0.85)),
    Demand("iimm_intra, deviation over tasks", "intra_deviation", ".3f", (0.05, 0.12), None),
    Demand(f"tasks with iimm_intra above {CROWDED}", "intra_above", "d", (0, 2), None),
)


def weights_name(model: Model) -> str:
    return key_digest(weights.fingerprint(model))[:8]


def path_of(suite: str) -> Path:
    return Path(leaderboard.__file__).parent / "geometry" / f"{suite}.csv"


def write(path: Path, rows: Sequence[Place | Summary]) -> None:
    """Write a table of geometry as CSV, numbers with four digits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pl.DataFrame([asdict(row) for row in rows])
    files.write(path, table.write_csv(float_precision=4))


def read(path: Path) -> list[Place]:
    """The rows of a table that `write` wrote; raises InputError for another file."""
    try:
        # columns by name, so that their order in the file does not matter
        table = pl.read_csv(path, schema_overrides=SCHEMA).select(list(SCHEMA))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"{path}: is not a table of geometry ({first_line(error)})", "`python tools/geometry.py` writes it"
        ) from None
    return [Place(**row) for row in table.iter_rows(named=True)]


def summarise(places: Iterable[Place]) -> list[Summary]:
    """One row per model, in the order in which they come."""
    by_model: dict[str, list[Place]] = {}
    for place in places:
        by_model.setdefault(place.model, []).append(place)
    return [_summary(name, of) for name, of in by_model.items()]


def _summary(name: str, places: list[Place]) -> Summary:
    inter, intra, zero = (_column(places, what) for what in ("iimm_inter", "iimm_intra", "zero_shot"))
    return Summary(
        name,
        # of the model, so the same on every task; likewise own_corpus
        logit_scale=places[0].logit_scale,
        logit_bias=places[0].logit_bias,
        modality_gap=float(_column(places, "modality_gap").mean()),
        inter_mean=float(inter.mean()),
        inter_deviation=float(inter.std()),
        intra_mean=float(intra.mean()),
        intra_deviation=float(intra.std()),
        intra_above=int((intra > CROWDED).sum()),
        zero_shot_mean=float(zero.mean()),
        zero_shot_lowest=float(zero.min()),
        zero_shot_highest=float(zero.max()),
        near_chance=float(np.mean([place.near_chance for place in places])),
        own_corpus=places[0].own_corpus,
    )


def _column(places: Sequence[Place], what: str) -> Floats:
    return np.array([getattr(place, what) for place in places], np.float64)


def describe_range(demand: Demand) -> str:
    """What a demand asks for, in words."""
    asked = _range(demand.softmax, demand.form)
    if demand.sigmoid != demand.softmax:
        asked += f"; with a bias {_range(demand.sigmoid, demand.form) if demand.sigmoid else 'any'}"
    return asked


def _range(limits: tuple[float, float], form: str) -> str:
    low, high = (format(int(x) if form == "d" else x, form) if math.isfinite(x) else "" for x in limits)
    if not high:
        return f"at least {low}"
    # no column with a range from 0 has negative values, so a lower end of 0 says nothing
    return f"at most {high}" if limits[0] == 0 else f"{low} to {high}"


def describe_values(demand: Demand, summaries: Sequence[Summary]) -> str:
    """The span over models, those with a bias apart, and which of them miss the range."""
    spans = []
    for words, of in (
        ("", [s for s in summaries if not s.sigmoid]),
        ("with a bias ", [s for s in summaries if s.sigmoid]),
    ):
        values = sorted(getattr(s, demand.column) for s in of)
        if values:
            # one figure where both ends are printed alike
            ends = dict.fromkeys(format(v, demand.form) for v in (values[0], values[-1]))
            spans.append(words + " to ".join(ends))
    missed = [s.model for s in summaries if not demand.is_met(s)]
    return "; ".join(spans) + (f" (not {', '.join(missed)})" if missed else "")
