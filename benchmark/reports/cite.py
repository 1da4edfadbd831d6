"""BibTeX entries for the software, and for a board: its suite, its version and its scorers."""

import json
import re
from pathlib import Path

import scorers
from benchmark import __version__, files
from leaderboard import LeaderboardError
from leaderboard.regular_files import TABLE_BYTES, read_text

# templates of str.format: each brace is doubled; an author in two braces is one name, not a list of words
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
    """BibTeX for the software, and with the JSON file of a board for the board and its scorers.

    Raises LeaderboardError for a file that is not a board.
    """
    software = SOFTWARE.format(version=__version__)
    if board is None:
        return software
    files.check_sum(board)
    try:
        content = json.loads(read_text(board, TABLE_BYTES))
        meta, names = content["meta"], {row["scorer"] for row in content["rows"]}
        entry = BOARD.format(
            id=_tex(meta["board"]),
            suite=_tex(meta["suite"]),
            scorers=len(names),
            models=len(meta["models"]),
            tasks=len(meta["tasks"]),
            # the date is YYYY-MM-DD
            year=_tex(meta["made"]["date"][:4]),
            version=_tex(meta["made"]["versions"]["transferability-benchmark"]),
            command=_tex(meta["made"]["command"]),
        )
    except FileNotFoundError:
        raise LeaderboardError(f"{board}: there is no such file; `run` and `rank` write boards") from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError):
        raise LeaderboardError(f"{board}: is not the JSON of a board; `run` and `rank` write boards") from None
    # scorers that are not installed here are on the board, but have no reference; a shared one is printed once
    keys = {function.spec.cite for name, function in scorers.registry().scorers.items() if name in names}
    return "".join([software, entry, *(text for key, text in scorers.references().items() if key in keys)])


def _tex(text: str) -> str:
    """Text for a BibTeX field: special characters of TeX escaped, braces, quotes and backslashes removed."""
    # BibTeX counts braces even where they are escaped, so these are removed
    plain = re.sub(r"[{}\\\"~^]", "", " ".join(text.split()))
    return re.sub(r"([_#%$&])", r"\\\1", plain)
