"""The words of the command line: commands, options, help."""

import argparse
import os
from pathlib import Path

from benchmark import __version__

EXAMPLES = """\
examples:
  python -m benchmark run --scorers all              embed, score and rank; print the board
  python -m benchmark run --scorers iimm,logme --models clip-things,clip-signs
  python -m benchmark score my_embeddings.npz --format json
  python -m benchmark measure --dry-run              how much fine-tuning is left to do
  python -m benchmark recommend my_images            which model and technique for a folder of images by class
  python -m benchmark list scorers
  python -m benchmark list tasks --health            can the suite tell scores apart?
"""


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m benchmark",
        description="Which transferability score predicts what fine-tuning brings?",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=__version__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="where embeddings and scores are kept (default: $BENCHMARK_CACHE or the user's cache folder)",
    )
    common.add_argument("--quiet", action="store_true", help="no progress on stderr")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="where data sets lie (default: $BENCHMARK_DATA or the user's cache folder)",
    )
    suite = argparse.ArgumentParser(add_help=False, parents=[data])
    suite.add_argument(
        "--suite", default="pocket", help="name of a suite, or the path of its .toml file (default: pocket)"
    )
    suite.add_argument("--models", type=_names, metavar="A,B", help="only these models of the suite")
    suite.add_argument("--tasks", type=_names, metavar="A,B", help="only these tasks of the suite")
    suite.add_argument("--source", metavar="KIND", help="take tasks from this of their sources, where they have it")
    device = argparse.ArgumentParser(add_help=False)
    device.add_argument(
        "--device", default="", metavar="NAME", help="cpu, cuda, cuda:1, mps (default: the accelerator, else the CPU)"
    )
    machine = argparse.ArgumentParser(add_help=False, parents=[device])
    machine.add_argument(
        "--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="of the forward pass (default: fp32)"
    )
    jobs = argparse.ArgumentParser(add_help=False)
    jobs.add_argument(
        "--jobs",
        type=_positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes at a time (default: one per core)",
    )
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("--out", type=Path, metavar="DIR", help="folder for results (default: results/<suite>)")
    which = argparse.ArgumentParser(add_help=False)
    which.add_argument("--scorers", type=_names, metavar="A,B|all", help="scorers to run (default: all)")
    narrow = argparse.ArgumentParser(add_help=False)
    narrow.add_argument(
        "--techniques", "--technique", type=_names, metavar="A,B", help="only these techniques of the suite"
    )
    printed = argparse.ArgumentParser(add_help=False)
    printed.add_argument(
        "--format", choices=["text", "md", "csv", "json"], default="text", help="how the result is printed"
    )
    as_board = argparse.ArgumentParser(add_help=False)
    as_board.add_argument(
        "--format",
        choices=["text", "md", "csv", "json", "latex", "html"],
        default="text",
        help="how the board is printed",
    )
    as_board.add_argument("--figures", action="store_true", help="also draw figures for papers, as SVG and PNG")

    commands = whole.add_subparsers(dest="command", metavar="command", required=True)

    def command(name: str, help: str, *parents: argparse.ArgumentParser, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=help,
            description=help,
            parents=[*parents, common],
            epilog=f"example:\n  python -m benchmark {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    p = command(
        "run",
        "embed, score and rank with the measured ledger; print and write the board",
        suite,
        machine,
        which,
        jobs,
        out,
        as_board,
        example="run --scorers all\n  python -m benchmark run --suite iimm --dry-run",
    )
    p.add_argument(
        "--dry-run", action="store_true", help="only say what would be fetched and computed, with sizes and time"
    )
    p = command(
        "fetch",
        "bring a suite's models and data sets to this machine; goes on where it stopped",
        suite,
        example="fetch --suite clip-published --tasks eurosat,gtsrb",
    )
    p = command(
        "embed",
        "fill the cache with the embeddings that scorers read",
        suite,
        machine,
        jobs,
        example="embed --suite pocket --jobs 2",
    )
    p = command(
        "measure",
        "fine-tune, evaluate on every task and add to the ledger; goes on where it stopped",
        suite,
        device,
        jobs,
        narrow,
        example="measure --techniques clip_adapter",
    )
    p.add_argument("--dry-run", action="store_true", help="only say how many runs are left and how long they will take")
    p.add_argument(
        "--audit", type=_positive, metavar="K", help="repeat K runs drawn by chance and say how far the ledger is off"
    )
    p.add_argument("--seed", type=int, default=0, help="which runs --audit draws")
    p = command(
        "score",
        "score a suite, or anybody's embeddings: an .npz, a .safetensors or a folder of .npy files",
        suite,
        machine,
        which,
        jobs,
        out,
        example="score embeddings.npz --scorers all --format json",
    )
    p.add_argument(
        "file",
        nargs="?",
        type=Path,
        metavar="FILE",
        help="embeddings with `image` and `labels`, optionally text, source_probs, class_names, logit_scale",
    )
    p.add_argument(
        "--format", choices=["text", "json", "csv"], help="how scores are printed (default: text; csv for a suite)"
    )
    p = command(
        "rank",
        "rank scores that `score` wrote against the ledger",
        suite,
        out,
        as_board,
        example="rank --suite pocket --format md\n  python -m benchmark rank --scores scores.csv --gains gains.csv --axis models",
    )
    p.add_argument("--scores", type=Path, metavar="CSV", help="rank this table instead: scorer, model, task, score")
    p.add_argument(
        "--gains",
        type=Path,
        metavar="CSV",
        help="against these measurements: a ledger, or model, task and any of before, accuracy, gain, forgetting",
    )
    p.add_argument(
        "--check", type=Path, metavar="JSON", help="say whether this published board still follows from them"
    )
    p.add_argument("--target", type=_names, metavar="A,B", help="only these of gain, accuracy, forgetting")
    p.add_argument("--axis", type=_names, metavar="A,B", help="only these of tasks, models, pooled")
    p = command(
        "predict",
        "how well gain and forgetting are predicted for a task, or a model, never seen",
        suite,
        machine,
        which,
        jobs,
        out,
        narrow,
        printed,
        example="predict --suite pocket",
    )
    p = command(
        "recommend",
        "which model and technique for a folder of images of your own, without fine-tuning",
        suite,
        machine,
        jobs,
        out,
        narrow,
        printed,
        example="recommend my_images --template 'a photo of a {c}'",
    )
    p.add_argument(
        "path", type=Path, metavar="PATH", help="a folder with one sub-folder of images per class, or a card"
    )
    p.add_argument(
        "--template", default="a photo of a {c}", help="prompt, with {c} for the class (default: %(default)s)"
    )
    p.add_argument("--names", type=Path, metavar="FILE", help="class names: a CSV of lines `folder,class name`")
    p = command(
        "cite",
        "print BibTeX for the software, and for a board with its scorers",
        example="cite --board results/pocket/board.json",
    )
    p.add_argument("--board", type=Path, metavar="JSON", help="a board that `run` or `rank` wrote")
    p = command("list", "show what there is", suite, example="list tasks --health")
    p.add_argument("what", choices=["models", "tasks", "scorers", "techniques", "sources", "suites"])
    p.add_argument(
        "--health",
        action="store_true",
        help="with tasks: zero-shot accuracies and gains, and whether the suite can tell scores apart",
    )
    p.add_argument("--bibtex", action="store_true", help="with scorers: print their references")
    p = command(
        "new-card",
        "write the card of a data set: a folder of images by class, or tar shards on disk, over HTTP or on the Hub",
        data,
        example="new-card my_images --name birds\n  python -m benchmark new-card https://example.org/shards --name birds",
    )
    p.add_argument("path", metavar="PATH|URL|hub:ORG/NAME", help="where the images are")
    p.add_argument("--name", required=True, help="the task's name; the card is NAME.toml")
    p.add_argument(
        "--template", help="prompt, with {c} for the class (default: those beside the shards, or 'a photo of a {c}')"
    )
    p.add_argument("--out", type=Path, metavar="DIR", default=Path(), help="where the card goes (default: here)")
    p = command("cache", "look after the cache", example="cache verify")
    p.add_argument(
        "what",
        choices=["ls", "verify", "prune"],
        help="ls: what is in it; verify: check every checksum; prune: remove damaged files and leftovers",
    )
    p.add_argument("--all", action="store_true", help="with prune: remove everything")
    p = command("new-scorer", "write a working scorer with its test, to start from", example="new-scorer my_score")
    p.add_argument("name", metavar="NAME", help="the scorer's name")
    p.add_argument("--package", type=Path, metavar="DIR", help="as a small package of its own in DIR, not in this tree")
    p = command(
        "check-scorer",
        "check that a scorer keeps the contract, and say how to mend what it does not",
        example="check-scorer my_package:my_score",
    )
    p.add_argument("name", metavar="MODULE:FUNCTION", help="where the scorer is, or the name of one that is listed")
    p = command(
        "pretrain",
        "pretrain the pocket models anew; skips those that are there",
        jobs,
        example="pretrain --models clip-things --out weights",
    )
    p.add_argument("--models", type=_names, metavar="A,B", help="only these models")
    p.add_argument("--out", type=Path, metavar="DIR", help="where the model folders go (default: into the suite)")
    p.add_argument(
        "--generation", type=int, choices=(1, 2), default=1, help="models of the suite pocket (1) or pocket2 (2)"
    )
    return whole


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError(f"'{text}' names nothing; give names with commas between")
    return names


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)
