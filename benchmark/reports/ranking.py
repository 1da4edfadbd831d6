"""Ranking: scores and ledger to a board, and the board to files."""

import functools
import hashlib
import inspect
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

import leaderboard
import scorers
from benchmark.embedding.cache import Cache
from benchmark.errors import LedgerError
from benchmark.files import write
from benchmark.finetuning import measure
from benchmark.scoring.selection import select_scorers
from benchmark.suites.suite import Suite
from benchmark.tasks import sources
from benchmark.tasks.cards import Card
from benchmark.tasks.fingerprint import task_fingerprint
from leaderboard import Board, Measured
from leaderboard.literature import clip_rows
from leaderboard.output.detail_pages import ScorerDescription, TaskDescription
from leaderboard.output.page import write_page

SAMPLES, SAMPLE_SIZE = 8, 64  # images that a task's page shows, and their pixels
KEY = ("scorer", "target", "technique", "axis", "measure")


def measurements(suite: Suite) -> pl.DataFrame:
    """The rows of a suite's ledger that belong to its models, tasks and techniques; of a suite with a published ledger, those."""
    if suite.published:
        return _published(suite)
    if not suite.ledger.is_dir():
        raise LedgerError(
            f"{suite.ledger}: there is no ledger yet; `python -m benchmark measure --suite {suite.requested or suite.name}` makes one"
        )
    measure.check_conditions(suite)
    ledger = leaderboard.read_ledger(suite.ledger)
    tasks = [task.name for task in suite.tasks]
    rows = ledger.filter(
        pl.col("model").is_in([model.name for model in suite.models]),
        pl.col("technique").is_in([technique.name for technique in suite.techniques]),
        pl.col("trained_on").is_in(tasks),
        pl.col("evaluated_on").is_in(tasks),
    )
    if rows.is_empty():
        raise LedgerError(
            f"{suite.ledger}: holds no run of the models, tasks and techniques asked for; `python -m benchmark measure` adds them"
        )
    return rows


def _published(suite: Suite) -> pl.DataFrame:
    """Rows that others measured and published, under this suite's names for models and techniques."""
    models, tasks = {m.load: m.name for m in suite.models}, [t.name for t in suite.tasks]
    tables = []
    for technique in suite.techniques:
        source, _, published_name = suite.published[technique.name].partition("/")
        rows = clip_rows(source, published_name).filter(
            pl.col("model").is_in(list(models)), pl.col("trained_on").is_in(tasks), pl.col("evaluated_on").is_in(tasks)
        )
        tables.append(
            rows.with_columns(pl.col("model").replace_strict(models), pl.lit(technique.name).alias("technique"))
        )
    ledger = pl.concat(tables)
    if ledger.is_empty():
        raise LedgerError(f"suite '{suite.name}': nothing is published on the models, tasks and techniques asked for")
    return ledger


def ledger_scores(ledger: pl.DataFrame, names: Sequence[str] | None) -> pl.DataFrame:
    """Scores of the scorers that read the ledger (`static_rank`): one per technique and target, from the other tasks alone."""
    rows: list[dict[str, Any]] = []
    m = leaderboard.summarise_ledger(ledger)
    for name, function in select_scorers(names).items():
        if "ledger" not in function.spec.needs:
            continue
        for technique, targets in m.values.items():
            for target, values in targets.items():
                for i, j in np.ndindex(*values.shape):
                    e = scorers.Embeddings([[0.0]], [0], ledger=leaderboard.ranks_elsewhere(values, i, j))
                    row = {"scorer": name, "model": m.models[i], "task": m.tasks[j]}
                    row |= {"technique": technique, "target": target}
                    try:
                        rows.append(row | {"score": function(e)})
                    except Exception as problem:
                        rows.append(row | {"abstained": scorers.reason(problem), "raised": scorers.raised(problem)})
    return leaderboard.score_table(rows)


def suite_board(
    suite: str, scores: pl.DataFrame, ledger: pl.DataFrame, cache: Cache, permutations: int = 2000
) -> Board:
    """The board of these scores on these measurements, kept in the cache under all that decides it."""
    orientation = _orientation()
    given = [scores.write_csv(), ledger.write_csv(), json.dumps([orientation, permutations, suite])]
    code = b"".join(path.read_bytes() for path in sorted(Path(leaderboard.__file__).parent.rglob("*.py")))
    key = {"kind": "boards", "suite": suite, "of": hashlib.sha256("\0".join(given).encode() + code).hexdigest()}

    def compute() -> str:
        made = leaderboard.make_board(scores, ledger, orientation=orientation, permutations=permutations, suite=suite)
        return leaderboard.to_json(made)

    return leaderboard.from_json(cache.get_record(key, compute))


def rank_tables(scores_path: Path, gains_path: Path) -> tuple[Board, pl.DataFrame, Measured, list[str]]:
    """The board of a table of scores on a table of measurements, both tables, and a line for each kind of row without a partner.

    Baselines that the measurements alone give, and the scores lack, are added. Known scorers are turned as they declare.
    """
    table, m = leaderboard.read_scores(scores_path), leaderboard.read_measurements(gains_path)
    baselines = leaderboard.baselines(m).filter(~pl.col("scorer").is_in(table["scorer"].unique().to_list()))
    both = pl.concat([table, baselines])
    board = leaderboard.make_board(both, m, orientation=_orientation(), suite=scores_path.stem)
    left_out = []
    for what, here, there in (
        ("model", set(table["model"]), set(m.models)),
        ("task", set(table["task"]), set(m.tasks)),
    ):
        for path, extra in ((scores_path, here - there), (gains_path, there - here)):
            if extra:
                names = ", ".join(sorted(extra)[:5]) + (", ..." if len(extra) > 5 else "")
                left_out.append(f"{path}: left out, since the other table lacks them: {len(extra)} {what}s ({names})")
    if empty := table["score"].null_count():
        left_out.append(f"{scores_path}: {empty} of {len(table)} scores are empty and count as abstentions")
    return board, both, m, left_out


def _orientation() -> dict[str, dict[str, int]]:
    return {name: dict(function.spec.predicts) for name, function in scorers.registry().scorers.items()}


def _same(then: Any, here: Any, relative: bool) -> bool:
    if not isinstance(then, int | float) or not isinstance(here, int | float):
        return then is None and here is None
    return bool(abs(then - here) <= 1e-4 * (max(abs(then), abs(here)) if relative else 1.0))


def board_differences(path: Path, board: Board) -> list[str]:
    """How a published board (its JSON) departs from one made now: a line each for what is missing, new, or another number.

    Numbers may differ by 1e-4 (slopes by that share), which is what processors and versions of numpy do. Raises LeaderboardError for a file that is no board.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        published = {tuple(row[k] for k in KEY): row for row in told["rows"]}
        of = told["meta"]["board"]
    except FileNotFoundError:
        raise leaderboard.LeaderboardError(f"{path}: there is no such file") from None
    except (ValueError, KeyError, TypeError, OSError):
        raise leaderboard.LeaderboardError(
            f"{path}: is not the JSON of a board; `rank --format json` prints one"
        ) from None
    now = {tuple(row[k] for k in KEY): row for row in json.loads(leaderboard.render(board, "json"))["rows"]}
    lines = [] if of == board.id else [f"made of other tables, or by another procedure: {of} then, {board.id} now"]
    for what, keys in (("no longer there", set(published) - set(now)), ("not there then", set(now) - set(published))):
        lines += [f"{what}: {' '.join(key)}" for key in sorted(keys)]
    for key in sorted(set(published) & set(now)):
        for column in ("value", "low", "high", "p", "holm", "ceiling"):
            then, here = published[key].get(column), now[key][column]
            if not _same(then, here, relative="slope" in key):
                lines.append(f"{' '.join(key)}: {column} {then} then, {here} now")
    return lines


def write_results(
    board: Board,
    folder: Path,
    command: str,
    table: pl.DataFrame,
    m: Measured,
    tasks: Mapping[str, TaskDescription] | None = None,
    figures: bool = False,
) -> list[Path]:
    """Write the board as Markdown, CSV and JSON, as a page with what it needs, and as figures. command: what makes it again."""
    made = leaderboard.provenance(command)
    paths = []
    for form in ("md", "csv", "json"):
        paths.append(folder / f"board.{form}")
        write(paths[-1], leaderboard.render(board, form, provenance=made))
    known = {name: _words(f) for name, f in scorers.registry().scorers.items()}
    paths.append(write_page(folder, board, table, m, provenance=made, scorers=known, tasks=tasks))
    if figures:
        from leaderboard.output.figures import write_figures

        paths += write_figures(folder / "figures", board, table, m)
    return paths


def _words(function: Any) -> ScorerDescription:
    predicts = ", ".join(
        f"{'more' if sign > 0 else 'less'} {target}" for target, sign in function.spec.predicts.items()
    )
    reference = next((entry for key, entry in scorers.references().items() if key == function.spec.cite), "")
    return ScorerDescription(
        function.spec.summary,
        inspect.getdoc(function) or "",
        f"a higher score means {predicts}" if predicts else "",
        reference,
    )


def task_words(suite: Suite, cache: Cache) -> dict[str, TaskDescription]:
    """What a page says of a suite's tasks, with a sample of each of the first classes, kept in the cache."""
    words = {}
    for card in suite.tasks:
        key = {
            "kind": "samples",
            "task": {"name": card.name, "identity": task_fingerprint(card)},
            "samples": SAMPLES,
            "size": SAMPLE_SIZE,
        }
        kept = cache.get(key, functools.partial(_samples, card))
        shown = [(card.classes[int(i)], _png(image)) for i, image in zip(kept["labels"], kept["images"], strict=True)]
        origin = f"{card.citation}. Licence: {card.licence}."
        words[card.name] = TaskDescription(card.title, card.classes, card.templates, origin, shown)
    return words


def _samples(card: Card) -> dict[str, NDArray[Any]]:

    examples = sources.load(card, "test" if card.evaluation_only else "train")
    chosen = [int(np.flatnonzero(examples.labels == c)[0]) for c in np.unique(examples.labels)[:SAMPLES]]
    images = np.zeros((len(chosen), SAMPLE_SIZE, SAMPLE_SIZE, 3), np.uint8)
    for place, i in enumerate(chosen):
        image = sources.read_image(examples.images[i])
        images[place] = np.asarray(image.resize((SAMPLE_SIZE, SAMPLE_SIZE)))
    return {"images": images, "labels": examples.labels[chosen]}


def _png(image: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()
