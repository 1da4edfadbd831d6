"""The blocks of README.md: the size of the board, the leaderboard, and statements that are true whatever the numbers are."""

from collections.abc import Callable, Sequence
from pathlib import Path

from docs.board import Board, pocket
from docs.common import FIRST, MIRRORED, README, Row
from docs.markdown import code, estimate, filled, p_value, points, short, sign, span, table

SHOWN_ROWS = 10


def top(board: Board, count: int = SHOWN_ROWS) -> list[str]:
    """The first scorers of the leaderboard: by correlation with the gain over tasks, under full fine-tuning."""
    return [name for name in board.ranking(FIRST, "gain") if name != MIRRORED][:count]


def readme_table() -> str:
    board, *_ = pocket()
    rows = []
    for place, name in enumerate(top(board), 1):
        gain, model = board.row(name, FIRST, "gain", "tasks"), board.row(name, FIRST, "accuracy", "models")
        regret = board.row(name, FIRST, "accuracy", "models", "regret@1")
        rows.append(
            {
                "": str(place),
                "scorer": code(name),
                "gain: r over tasks": estimate(gain),
                "p": p_value(gain["holm"] if gain else None),
                "which model: r over models": estimate(model),
                "regret, points": "–" if regret is None or regret["value"] is None else points(regret["value"]),
                "forgetting: r over tasks": estimate(board.row(name, FIRST, "forgetting", "tasks")),
            }
        )
    return table(rows, ["scorer"])


def findings() -> str:
    """Four statements, each computed: the numbers and every verdict."""
    statements = (headroom_finding(), iimm_finding(), models_finding(), techniques_finding())
    return "\n".join(f"- {statement}" for statement in statements)


def headroom_finding() -> str:
    board, *_ = pocket()
    baseline = ("headroom", MIRRORED)
    first = sum(board.ranking(technique, "gain")[0] in baseline for technique in board.techniques)
    # the first that is neither headroom nor its mirror image
    other = next(name for name in board.ranking(FIRST, "gain") if name not in baseline)
    gain, forgetting = (board.row("headroom", FIRST, target, "tasks") for target in ("gain", "forgetting"))
    return (
        f"**Headroom, one minus the zero-shot accuracy, ranks first for the gain under {first} of {len(board.techniques)} techniques.** "
        f"Under full fine-tuning it correlates with the gain at r = {estimate(gain)} over tasks, and with forgetting at "
        f"r = {estimate(forgetting)}. The best other score for the gain is {code(other)} "
        f"(r = {estimate(board.row(other, FIRST, 'gain', 'tasks'))})."
    )


def iimm_finding() -> str:
    """Whether IIMM's correlations with gain and forgetting are above zero, and its places on the leaderboard."""
    board, *_ = pocket()
    # by technique
    rows = {t: [board.row("iimm", k, t, "tasks") for k in board.techniques] for t in ("gain", "forgetting")}
    places = [board.ranking(technique, "gain").index("iimm") + 1 for technique in board.techniques]
    return (
        f"**IIMM, the score that this study started from, is {_shown(rows['gain'])} to predict the gain** "
        f"(r = {_range(rows['gain'])}; place {span(places, str)} of {len(board.ranking(FIRST, 'gain'))}) "
        f"and {_shown(rows['forgetting'])} to predict forgetting (r = {_range(rows['forgetting'])})."
    )


def models_finding() -> str:
    """The best score for choosing a model, the scores that are informative beyond headroom, and the errors of prediction."""
    board, predictions, _ = pocket()
    rows = {name: board.row(name, FIRST, "accuracy", "models") for name in board.ranking(FIRST, "accuracy")}
    values = {name: row["value"] for name, row in rows.items() if row and row["value"] is not None}
    best = max(values, key=values.__getitem__)
    informative = [f"{code(row['scorer'])} ({short(row['partial']['value'])})" for row in board.informative(FIRST)[:4]]
    # mean absolute errors with whole tasks left out, one per technique
    errors = {
        name: [x["tasks"]["mae"] for x in predictions if (x["predictor"], x["target"]) == (name, "gain")]
        for name in ("the mean", "combination")
    }
    return (
        f"**Over models, {code(best)} correlates most with the accuracy**, at r = {estimate(rows[best])}. "
        f"Informative about the gain beyond the accuracy before (partial r over tasks): {', '.join(informative) or 'no score'}. "
        f"On an unseen task, a regression on three scores predicts the gain with a mean error of {span(errors['combination'], points)} points, "
        f"the mean gain of the other tasks with {span(errors['the mean'], points)}."
    )


def techniques_finding() -> str:
    """Mean gain and mean forgetting, technique by technique."""
    board, *_ = pocket()
    rows = board.forgetting
    gains, losses = [row["gain"] for row in rows.values()], [row["mean"]["value"] for row in rows.values()]
    listed = (
        f"{code(name)} gains {short(row['gain'])} and forgets {short(row['mean']['value'])}"
        for name, row in rows.items()
    )
    return (
        f"**The mean gain of a technique is {span(gains)}, its mean forgetting {span(losses)}.** {'; '.join(listed)}."
    )


def _shown(rows: Sequence[Row | None]) -> str:
    """A claim is shown under a technique where the 95 % interval is above zero."""
    count = sum(sign(row) > 0 for row in rows)
    return f"shown under {count} of {len(rows)} techniques" if count else "not shown"


def _range(rows: Sequence[Row | None]) -> str:
    return span(row["value"] for row in rows if row is not None and row["value"] is not None)


def facts() -> str:
    """One sentence on the size of the board."""
    board, *_ = pocket()
    # of a complete suite: models x tasks x techniques x seeds
    runs = len(board.meta["models"]) * len(board.meta["tasks"]) * len(board.techniques) * len(board.meta["seeds"])
    return (
        f"*{len(board.meta['models'])} models, {len(board.meta['tasks'])} tasks, {len(board.techniques)} techniques, "
        f"{len(board.meta['seeds'])} seeds: {runs:,} fine-tuning runs. Correlations under full fine-tuning with 95 % intervals; "
        f"{code(MIRRORED)}, which mirrors {code('headroom')}, is left out.*"
    )


BLOCKS: dict[str, Callable[[], str]] = {"facts": facts, "findings": findings, "leaderboard": readme_table}


def readme() -> dict[Path, str]:
    return {README: filled(README, BLOCKS)}
