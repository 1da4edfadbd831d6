"""Boards of what others measured and published: fine-tuned CLIPs, the pools that scores are ranked on, published scores.

The figures are in `published/`, their sources in `published/README.md`.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from leaderboard.baselines import baselines
from leaderboard.board import Board, make_board
from leaderboard.pool import PoolSummary, pool_summary
from leaderboard.tables import Row, Score
from leaderboard.targets import Measured, from_cells, summarise_ledger

FOLDER = Path(__file__).parent / "published"
WRONG = {("DTD", "nce")}  # repeats LogME's column


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def clip_sources() -> list[tuple[str, str]]:
    """Each source of fine-tuned CLIPs with each of its techniques."""
    return list(dict.fromkeys((r["source"], r["technique"]) for r in _rows("clip_finetuning")))


def clip_rows(source: str, technique: str) -> list[Row]:
    """What one source measured of fine-tuned CLIPs, models named ARCHITECTURE/TAG; only runs whose own task was evaluated too."""
    rows = [
        Row(
            f"{r['model']}/{r['pretrained']}",
            technique,
            0,
            r["trained_on"],
            r["evaluated_on"],
            float(r["before"]),
            float(r["after"]),
        )
        for r in _rows("clip_finetuning")
        if (r["source"], r["technique"]) == (source, technique)
    ]
    home = {(r.model, r.trained_on) for r in rows if r.trained_on == r.evaluated_on}
    return [r for r in rows if (r.model, r.trained_on) in home]


def clip(source: str, technique: str) -> Measured:
    """The gains, and where they were measured the forgetting, of CLIPs as one source has them."""
    return summarise_ledger(clip_rows(source, technique))


def sizes() -> dict[str, tuple[float, float]]:
    """Millions of parameters, and billions of floating-point operations for an image with a text, of open_clip's models (ARCHITECTURE/TAG)."""
    return {
        f"{r['name']}/{r['pretrained']}": (float(r["params (M)"]), float(r["FLOPs (B)"]))
        for r in _rows("openclip_zeroshot")
    }


def clip_board(source: str, technique: str, permutations: int = 2000) -> Board:
    """What headroom, size and the static ranking say of one source's figures, and what other sources' measurements of the same say.

    The latter are an external noise ceiling: what a score would reach that knew the truth as well as another laboratory does.
    """
    m = clip(source, technique)
    scores = baselines(m)
    size = sizes()
    scores += [
        Score("n_parameters", model, task, size[model][0]) for model in m.models for task in m.tasks if model in size
    ]
    for other, same in clip_sources():
        if same == technique and other != source:
            scores += _as_score(clip(other, same), f"as measured by {other}")
    return make_board(scores, m, permutations=permutations, suite=f"{source}, {technique}")


def _as_score(m: Measured, name: str) -> Iterator[Score]:
    for technique, targets in m.values.items():
        for target, table in targets.items():
            for i, model in enumerate(m.models):
                for j, task in enumerate(m.tasks):
                    if table[i, j] == table[i, j]:
                        yield Score(name, model, task, float(table[i, j]), technique, target)


def pools() -> dict[str, PoolSummary]:
    """The pools that the literature ranks on, by source and technique."""
    cells: dict[str, list[tuple[str, str, str, int, str, float]]] = {}
    for r in _rows("vision_finetuning"):
        if r["trained_on"] == r["evaluated_on"]:
            place = r["technique"], r["model"], r["trained_on"], 0, "accuracy", float(r["after"])
            cells.setdefault(r["source"], []).append(place)
    tables = {source: from_cells(of) for source, of in cells.items()}
    found = {
        f"{source}, {technique}": pool_summary(technique, m.values[technique]["accuracy"], m.models)
        for source, m in tables.items()
        for technique in m.techniques
    }
    for source, technique in clip_sources():
        m = clip(source, technique)
        if len(m.models) > 1:
            found[f"{source}, {technique}"] = pool_summary(technique, m.values[technique]["accuracy"], m.models)
    return found


def published_scores(source: str, permutations: int = 2000) -> Board:
    """The scores that `tllib` or `chaves` printed, against the accuracies printed beside them."""
    rows = list(_rows(f"scores_{source}"))
    largest = max(float(r["accuracy"]) for r in rows)
    of = 100 if largest > 1 else 1
    m = from_cells([("full", r["model"], r["dataset"], 0, "accuracy", float(r["accuracy"]) / of) for r in rows])
    scores = [
        Score(r["scorer"], r["model"], r["dataset"], float(r["score"]))
        for r in rows
        if r["score"] and (r["dataset"], r["scorer"]) not in WRONG
    ]
    return make_board(scores + baselines(m), m, permutations=permutations, suite=f"scores of {source}")
