"""The blocks of docs/explanation/pocket2.md: geometry, pretraining, what was tried, and learning rates, from the committed tables."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docs.common import DOCS, ROOT, Row
from docs.markdown import code, filled, table

PAGE = DOCS / "explanation" / "pocket2.md"
SUITE = "pocket2"
WEIGHTS = ROOT / "benchmark" / "pocket" / "weights2"
# label, required range, column of the table and format
GEOMETRY = (
    ("logit scale", "≥ 90 (SigLIP ≥ 60)", "logit_scale", ".0f"),
    ("bias", "", "logit_bias", ".0f"),
    ("modality gap", ".85 to 1.20 (1.40)", "modality_gap", ".2f"),
    ("`iimm_inter`, mean", ".05 to .40 (−.10 to .20)", "inter_mean", ".2f"),
    ("deviation", "≤ .060", "inter_deviation", ".3f"),
    ("`iimm_intra`, mean", ".50 to .80 (.40 to .85)", "intra_mean", ".2f"),
    ("deviation", ".050 to .120 (any)", "intra_deviation", ".3f"),
    ("tasks above .9", "≤ 2 (any)", "intra_above", ".0f"),
    ("zero-shot accuracy, mean", "", "zero_shot_mean", ".2f"),
    ("lowest", "", "zero_shot_lowest", ".2f"),
    ("highest", "", "zero_shot_highest", ".2f"),
    ("cells within 5 points of chance", "≤ 20 % of all", "near_chance", ".0%"),
    ("retrieval on its own corpus, among 256", "≤ .98", "own_corpus", ".2f"),
)
FOUND = {  # the fields of tried.json as the page names them
    "inter": "inter",
    "intra": "intra",
    "above_0.9": "tasks above .9",
    "gap": "gap",
    "zero_shot": "zero-shot",
    "near_chance": "near chance",
    "loss": "loss",
    "loss_of_chance": "loss of chance",
}


def _number(value: float, form: str) -> str:
    text = format(value, form)
    return "0" if text in ("-0", "-0.00") else text.replace("-", "−").replace("%", " %")


def geometry() -> str:
    """One column per model, one row per requirement."""
    with (ROOT / "leaderboard" / "geometry" / f"{SUITE}-models.csv").open(newline="") as file:
        models = list(csv.DictReader(file))
    rows: list[Row] = [
        {"": label, "required": required} | {m["model"]: _number(float(m[column]), form) for m in models}
        for label, required, column, form in GEOMETRY
    ]
    return table(rows, ["", "required"])


def pretraining() -> str:
    rows: list[Row] = []
    for path in sorted(WEIGHTS.glob("*/pretraining.json")):
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows.append(
            {
                "model": record["name"],
                "pairs": f"{record['pairs']:,}",
                "steps": f"{record['steps']:,}",
                "seconds of one thread": f"{record['seconds']:.0f}",
                "first loss": f"{record['loss'][0][1]:.2f}",
                "last loss": f"{record['loss'][-1][1]:.2f}",
            }
        )
    return table(rows, ["model"])


def tried() -> str:
    rows: list[Row] = []
    for entry in json.loads((ROOT / "benchmark" / "pocket" / "tried.json").read_text(encoding="utf-8")):
        found = ", ".join(f"{FOUND[name]} {value}" for name, value in entry["found"].items())
        rows.append(
            {
                "": str(entry["order"]),
                "family": entry["family"],
                "what": entry["what"],
                "pairs": f"{entry['pairs']:,}",
                "found": found,
                "kept": entry["kept"],
            }
        )
    return table(rows, ["", "family", "what", "found", "kept"])


def rates() -> str:
    """For every technique and family the mean val accuracy at each rate; the chosen one is bold."""
    import learning_rates

    trials = learning_rates.read(SUITE)
    rows: list[Row] = []
    for technique in dict.fromkeys(trial.technique for trial in trials):
        for family in sorted({trial.family for trial in trials}):
            accuracies = learning_rates.means(trials, family, technique)
            best = learning_rates.best_rate(accuracies)
            cells = [
                f"**{rate:g}: {value:.3f}**" if rate == best else f"{rate:g}: {value:.3f}"
                for rate, value in accuracies.items()
            ]
            rows.append({"technique": code(technique), "family": family, "rate: accuracy": ", ".join(cells)})
    return table(rows, ["technique", "family", "rate: accuracy"])


BLOCKS: dict[str, Callable[[], str]] = {
    "geometry": geometry,
    "pretraining": pretraining,
    "tried": tried,
    "rates": rates,
}


def pocket2() -> dict[Path, str]:
    return {PAGE: filled(PAGE, BLOCKS)}
