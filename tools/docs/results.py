"""The pages of docs/results/ on the pocket suite."""

from collections.abc import Sequence
from pathlib import Path

from docs.board import Board, pocket
from docs.common import AXES, DOCS, FIRST, GENERATED, MIRRORED, TARGETS
from docs.markdown import code, estimate, p_value, points, short, sign, table
from docs.readme import findings


def target_table(board: Board, technique: str, target: str) -> str:
    """One row per scorer, in the order of the ranking."""
    rows = []
    for place, name in enumerate(board.ranking(technique, target), 1):
        first = board.row(name, technique, target, "tasks")
        cells = {"": str(place), "scorer": code(name)}
        cells |= {f"r {word}": estimate(board.row(name, technique, target, axis)) for axis, word in AXES.items()}
        cells["p"] = p_value(first["holm"] if first else None)
        if target == "gain":
            beyond = board.beyond.get((name, technique, "tasks"))
            lead = (first or {}).get("over_headroom")
            # * where informative
            cells["r given before"] = estimate(beyond and beyond["partial"], bool(beyond and beyond["informative"]))
            cells["lead over headroom"] = estimate(lead, sign(lead) != 0)  # * where the interval excludes 0
        if target == "accuracy":
            for measure, head in (("rel@1", "rel@1"), ("regret@1", "regret")):
                cells[head] = estimate(board.row(name, technique, target, "models", measure))
        rows.append(cells)
    return table(rows, ["scorer"])


def technique_section(board: Board, technique: str, targets: Sequence[str] = tuple(TARGETS)) -> str:
    """Outcomes, the pool, and a table per target under one technique."""
    parts = [f"## {technique}", _outcome(board, technique), _pool(board, technique)]
    if stability := board.meta["stability"].get(technique):
        listed = ", ".join(f"{name}: {short(value)}" for name, value in stability.items())
        parts.append(f"Stability of the ranking, mean τb with {listed}.")
    for target in targets:
        rows = [board.row(name, technique, target, axis) for name in board.ranking(technique, target) for axis in AXES]
        if any(row is not None and row["value"] is not None for row in rows):
            parts += [f"**{TARGETS[target]}**", target_table(board, technique, target)]
    return "\n\n".join(part for part in parts if part)


def _outcome(board: Board, technique: str) -> str:
    """Mean gain and mean forgetting, where they were measured."""
    outcome = board.meta["outcomes"][technique]
    clauses = []
    if "mean gain" in outcome:
        extent = f"{short(outcome['smallest gain'])} to {short(outcome['largest gain'])}"
        losses = f"negative in {outcome['share of losses']:.0%} of the cases"
        clauses.append(f"Mean gain {short(outcome['mean gain'])} ({extent}), {losses}")
    if "mean forgetting" in outcome:
        mean, largest = short(outcome["mean forgetting"]), short(outcome["largest forgetting"])
        clauses.append(f"mean forgetting {mean}, at most {largest}")
    return "; ".join(clauses) + "." if clauses else ""


def _pool(board: Board, technique: str) -> str:
    """Whether the pool of models can tell scores apart."""
    pool = next(pool for pool in board.meta["pools"] if pool["technique"] == technique)
    if pool["dispersion"] is None:
        return ""
    static = "" if pool["static"] is None else f" The static ranking reaches τw {short(pool['static'])}."
    headroom = short(pool["headroom"])
    return f"Dispersion of the models' order {short(pool['dispersion'])}; headroom of choosing {headroom}.{static}"


def claims_table() -> str:
    """IIMM's two claims, technique by technique."""
    board, *_ = pocket()
    verdicts = {1: "shown", -1: "the opposite", 0: "not shown"}
    rows = []
    for technique in board.techniques:
        cells = {"technique": code(technique)}
        for target in ("gain", "forgetting"):
            row = board.row("iimm", technique, target, "tasks")
            defined = row is not None and row["value"] is not None
            cells[f"r of IIMM with {target}, over tasks"] = estimate(row)
            cells[f"{target} rises with IIMM"] = verdicts[sign(row)] if defined else "nothing to predict"
        ranking = board.ranking(technique, "gain")
        cells["place for gain"] = f"{ranking.index('iimm') + 1} of {len(ranking)}"
        rows.append(cells)
    return table(rows, ["technique", "gain rises with IIMM", "forgetting rises with IIMM"])


def forgetting_table(board: Board) -> str:
    rows = []
    for technique, row in board.forgetting.items():
        named = [f"{code(name)} {short(r['value'])}" for name, r in row["predicted_by"][:3]]
        # the three strongest are named, the others counted
        more = len(row["predicted_by"]) - len(named)
        rows.append(
            {
                "technique": code(technique),
                "mean gain": short(row["gain"]),
                "mean forgetting": estimate(row["mean"]),
                "more than full": estimate(row["over_full"], sign(row["over_full"]) != 0),
                "worst task": f"{code(row['worst_task'])} {short(row['worst'])}",
                "predicted by (r over tasks)": ", ".join(named or ["no score"]) + f" and {more} more" * (more > 0),
            }
        )
    return table(rows, ["technique", "worst task", "predicted by (r over tasks)"])


def beyond_table(board: Board) -> str:
    rows = [
        {
            "technique": code(technique),
            "informative beyond the accuracy before (r given before)": ", ".join(
                f"{code(row['scorer'])} {short(row['partial']['value'])}" for row in board.informative(technique)
            )
            or "no score",
        }
        for technique in board.techniques
    ]
    return table(rows, list(rows[0]))


def predictions_table(target: str) -> str:
    """Per technique: the mean, the best single other score, headroom, and the combination."""
    _, lines, _ = pocket()
    rows = []
    # techniques in their order in the file, each once
    for technique in dict.fromkeys(line["technique"] for line in lines if line["target"] == target):
        known = {x["predictor"]: x for x in lines if (x["technique"], x["target"]) == (technique, target)}
        fixed = ("the mean", "headroom", "combination")
        # lowest mean absolute error with whole tasks left out
        best = min((x for name, x in known.items() if name not in (*fixed, MIRRORED)), key=lambda x: x["tasks"]["mae"])
        for name in ("the mean", best["predictor"], "headroom", "combination"):
            line, error = known[name], known[name]["tasks"]
            rows.append(
                {
                    "technique": code(technique),
                    "predictor": name + ", the best other score" * (name == best["predictor"]),
                    "error, task left out": f"{points(error['mae'])} [{points(error['low'])}, {points(error['high'])}]",
                    "R²": short(error["r2"]),
                    "in the 90 % interval": "–" if error["coverage"] is None else f"{error['coverage']:.0%}",
                    "error, model left out": points(line["models"]["mae"]) if line["models"] else "–",
                }
            )
    return table(rows, ["technique", "predictor"])


def findings_page(board: Board) -> list[str]:
    return [
        "# Findings by technique",
        "## What the leaderboard says",
        findings(),
        "## The claims made for IIMM",
        "Niss, Vogt-Lowell and Tsiligkaridis (ICCV 2025) report for large models on photographs that the gain and the forgetting rise "
        "with IIMM. The table tests the same statements on the pocket suite. *Shown* means that the 95 % interval lies above zero.",
        claims_table(),
        "## The cost on other tasks",
        "The least forgetful technique first. An asterisk marks a difference from full fine-tuning whose interval excludes zero.",
        forgetting_table(board),
        "## Scores that are informative beyond the accuracy before",
        beyond_table(board),
    ]


def prediction_page() -> list[str]:
    return [
        "# Prediction of gain and forgetting",
        "Each predictor is a regression fitted on all tasks but one (or all models but one) and evaluated on the one left out. Errors are mean "
        "absolute errors in points of accuracy, with 95 % intervals from resampling whole tasks. The combination is a ridge regression on "
        "`headroom`, `linear_probe` and `iimm`, fixed before any result was computed. `python -m benchmark predict` prints these numbers "
        "for every score, with curves over the number of known tasks.",
        "## Gain",
        predictions_table("gain"),
        "## Forgetting",
        predictions_table("forgetting"),
    ]


def results() -> dict[Path, str]:
    board, _, tasks = pocket()
    others = [technique for technique in board.techniques if technique != FIRST]
    pages = {
        "pocket": [
            "# Pocket suite: full fine-tuning",
            "[How to read the tables](index.md#how-to-read-the-tables). [The other techniques](techniques.md).",
            technique_section(board, FIRST),
        ],
        "techniques": [
            "# Pocket suite: the other techniques",
            "[How to read the tables](index.md#how-to-read-the-tables).",
            *(technique_section(board, technique) for technique in others),
        ],
        "findings": findings_page(board),
        "prediction": prediction_page(),
        "tasks": [
            "# Tasks and health of the pocket suite",
            "The output of `python -m benchmark list tasks --health`: zero-shot accuracy and mean gain per task, and whether the suite can tell "
            "scores apart.",
            f"```text\n{tasks.strip()}\n```",
        ],
    }
    return {DOCS / "results" / f"{name}.md": "\n\n".join([GENERATED, *parts]) + "\n" for name, parts in pages.items()}
