"""References for the software, and for a board: its suite, its version and the scorers in it."""

import json
import re
from pathlib import Path

import scorers
from benchmark import __version__
from leaderboard import LeaderboardError

SOFTWARE = """\
@software{{transferability_benchmark,
  title = {{transferability-benchmark: which transferability scores predict what fine-tuning brings}},
  author = {{{{The transferability-benchmark contributors}}}},
  version = {{{version}}},
  license = {{MIT}}
}}
"""
BOARD = """\
@misc{{board_{id},
  title = {{Board {id} of {suite}: {scorers} scorers, {models} models, {tasks} tasks}},
  author = {{{{The transferability-benchmark contributors}}}},
  year = {{{year}}},
  note = {{transferability-benchmark {version}; made by {command}}}
}}
"""


def cite(board: Path | None = None) -> str:
    """BibTeX. board: the JSON of a board. Raises LeaderboardError for a file that is none."""
    software = SOFTWARE.format(version=__version__)
    if board is None:
        return software
    try:
        told = json.loads(board.read_text(encoding="utf-8"))
        meta, names = told["meta"], {row["scorer"] for row in told["rows"]}
        entry = BOARD.format(
            id=_plain(meta["board"]),
            suite=_plain(meta["suite"]),
            scorers=len(names),
            models=len(meta["models"]),
            tasks=len(meta["tasks"]),
            year=_plain(meta["made"]["date"][:4]),
            version=_plain(meta["made"]["versions"]["transferability-benchmark"]),
            command=_plain(meta["made"]["command"]),
        )
    except FileNotFoundError:
        raise LeaderboardError(f"{board}: there is no such file; `run` and `rank` write boards") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise LeaderboardError(f"{board}: is not the JSON of a board; `run` and `rank` write boards") from None
    cited = {f.spec.cite for name, f in scorers.registry().scorers.items() if name in names}
    return "".join([software, entry, *(text for key, text in scorers.references().items() if key in cited)])


def _plain(text: str) -> str:
    """With what TeX would read as its own escaped, and without braces and backslashes."""
    plain = re.sub(r"[{}\\\"~^]", "", " ".join(text.split()))
    return re.sub(r"([_#%$&])", r"\\\1", plain)
