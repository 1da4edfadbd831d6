"""docs/reference/: the commands from their parsers, the scorers from their declarations and docstrings."""

import argparse
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.common import DOCS, GENERATED
from docs.markdown import escaped, table


def command_parser() -> argparse.ArgumentParser:
    from benchmark.cli import build_parser

    return build_parser()


def subcommands() -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """Each command's parser and its one-line help."""
    actions = command_parser()._actions
    # argparse has no public access to its actions and subparsers
    commands = next(action for action in actions if isinstance(action, argparse._SubParsersAction))
    helps = {choice.dest: choice.help or "" for choice in commands._choices_actions}
    return {name: (parser, helps.get(name, "")) for name, parser in commands.choices.items()}


def _option(action: argparse.Action) -> tuple[str, str]:
    """How an argument is written, and its help."""
    values = (
        ""
        if action.nargs == 0
        else str(action.metavar or "|".join(map(str, action.choices or ())) or action.dest.upper())
    )
    names = [f"`{name}{' ' + values if values else ''}`" for name in action.option_strings] or [f"`{values}`"]
    text = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")  # as argparse formats it
    return ", ".join(names), text.replace("|", "\\|")


def commands_page() -> str:
    commands = subcommands()
    options = {
        name: [_option(a) for a in parser._actions if a.dest != "help"] for name, (parser, _) in commands.items()
    }
    # options that every command has are listed once
    common = [option for option in next(iter(options.values())) if all(option in own for own in options.values())]
    summary = [{"command": f"[`{name}`](#{name})", "does": text} for name, (_, text) in commands.items()]
    parts = [
        GENERATED,
        "# Commands",
        "`transferability COMMAND` and `python -m benchmark COMMAND` are the same. Results are written to stdout, progress and diagnostics to "
        "stderr. Exit codes: 0 success, 1 a failure that the message explains, 2 wrong usage, 130 interrupted.",
        table(summary, ["command", "does"]),
        "## Options of every command",
        _options(common),
    ]
    for name, (parser, text) in commands.items():
        own = [option for option in options[name] if option not in common]
        parts += _command_section(name, parser, text, own)
    return "\n\n".join(parts) + "\n"


def _command_section(
    name: str, parser: argparse.ArgumentParser, text: str, own: Sequence[tuple[str, str]]
) -> list[str]:
    """Usage, options and examples of one command."""
    # arguments without a leading dash
    positional = " ".join(_option(a)[0].strip("`") for a in parser._actions if not a.option_strings)
    parts = [
        f"## {name}",
        text[:1].upper() + text[1:] + ".",
        f"```text\npython -m benchmark {name} [options] {positional}".rstrip() + "\n```",
    ]
    if own:
        parts.append(_options(own))
    if parser.epilog:
        # without its first line, a heading
        examples = [line.strip() for line in parser.epilog.strip().splitlines()[1:]]
        parts.append("\n".join(["```sh", *examples, "```"]))
    return parts


def _options(options: Sequence[tuple[str, str]]) -> str:
    return table(
        [{"argument": names.replace("|", "\\|"), "meaning": text} for names, text in options], ["argument", "meaning"]
    )


def scorers_page() -> str:
    import scorers

    specs = {name: function.spec for name, function in scorers.registry().scorers.items()}
    # without scorers of other installed packages
    own = {name: spec for name, spec in specs.items() if spec.function.__module__.split(".")[0] == "scorers"}
    summary = [
        {
            "scorer": f"[`{name}`](#{name.replace('_', '-')})",
            "predicts": _predicts(spec.predicts),
            "cost": spec.cost,
            "definition": escaped(spec.summary),
        }
        for name, spec in own.items()
    ]
    parts = [
        GENERATED,
        "# Scorers",
        "Every scorer is a function of an `Embeddings` object and returns one number. It raises `Abstain` with a reason where it is not defined. "
        "`+gain` means that a higher score should mean a larger gain, `−gain` the opposite. "
        "Costs: " + "; ".join(f"*{name}*: {text}" for name, text in scorers.COSTS.items()) + ".",
        table(summary, ["scorer", "predicts", "cost", "definition"]),
    ]
    for name, spec in own.items():
        # a MyST label, to which the summary's links refer
        parts += [f"({name.replace('_', '-')})=\n## {name}", docstring(spec.function), _declaration(spec)]
    parts += [
        "## References",
        "`python -m benchmark list scorers --bibtex` prints the same.",
        "```{literalinclude} ../../scorers/_references.bib\n:language: bibtex\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _declaration(spec: Any) -> str:
    """The declaration of a scorer (a `ScorerSpec`) as a list."""
    import scorers

    # in the order of NEEDS
    needs = ", ".join(f"`{need}` ({scorers.NEEDS[need]})" for need in scorers.NEEDS if need in spec.needs)
    facts = [
        f"- Needs: {needs}",
        f"- Predicts: {_predicts(spec.predicts)}",
        f"- Cost: {spec.cost} ({scorers.COSTS[spec.cost]})",
    ]
    if spec.parameters:
        facts.append("- Parameters: " + ", ".join(f"`{key}={value!r}`" for key, value in spec.parameters.items()))
    if spec.cite:
        facts.append(f"- Citation key: `{spec.cite}`")
    return "\n".join(facts)


def _predicts(predicts: Mapping[str, int]) -> str:
    return ", ".join(f"{'+' if direction > 0 else '−'}{target}" for target, direction in predicts.items()) or "no claim"


def docstring(function: Callable[..., Any]) -> str:
    """A docstring as Markdown, its formulas left as they are written."""
    return "\n".join(escaped(line) for line in (inspect.getdoc(function) or "").splitlines())


def reference() -> dict[Path, str]:
    return {DOCS / "reference" / "commands.md": commands_page(), DOCS / "reference" / "scorers.md": scorers_page()}
