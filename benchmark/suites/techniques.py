"""Declarations of fine-tuning techniques: `@technique`, the options of a technique, and the techniques that are installed.

A suite file sets the options in its [techniques.NAME] table, and they are checked against the declaration. Declarations are read
without torch, so that suites load fast: a technique imports what it trains with inside its function.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmark.errors import InputError
from benchmark.plugins import Plugins, load_plugins
from benchmark.toml_fields import Fields

GROUP = "benchmark.techniques"
# name to module:function as in an entry point, imported only when the technique is asked for
TECHNIQUES = {
    "full": "benchmark.finetuning.techniques.full:full",
    "bitfit": "benchmark.finetuning.techniques.bitfit:bitfit",
    "attention": "benchmark.finetuning.techniques.attention:attention",
    "lora": "benchmark.finetuning.techniques.lora:lora",
    "clip_adapter": "benchmark.finetuning.techniques.clip_adapter:clip_adapter",
    "linear_probe": "benchmark.finetuning.techniques.linear_probe:linear_probe",
}
Value = float | str
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Option:
    """One option of a technique.

    kind: float, int (a suite file may write 2.0 for 2) or str, which needs `choices`.
    default: the value if the suite file sets none; None leaves the choice to the technique.
    minimum, maximum: the range of a number, both included; with `positive` a number must also be above 0.
    choices: the allowed strings.  required: the suite file must set it.  description: one line.
    """

    kind: type[float] | type[int] | type[str]
    default: Value | None = None
    minimum: float = 0.0
    maximum: float = math.inf
    positive: bool = False
    choices: tuple[str, ...] = ()
    required: bool = False
    description: str = ""

    def problem(self, value: object) -> str:
        """Why a value is invalid, to follow the name of its field; "" if it is valid."""
        if self.kind is str:
            return "" if value in self.choices else f"is {value!r}; give one of {', '.join(self.choices)}"
        if type(value) not in (int, float):  # not isinstance, since True is an int
            return f"should be a number, found {value!r}"
        assert isinstance(value, int | float)
        # int() of an infinity or NaN raises; both fail the range instead
        whole = not math.isfinite(value) or value == int(value) if self.kind is int else True
        in_range = math.isfinite(value) and self.minimum <= value <= self.maximum and (value > 0 or not self.positive)
        return "" if whole and in_range else f"is {value}; give {self._allowed()}"

    def _allowed(self) -> str:
        noun = "a whole number" if self.kind is int else "a number"
        if self.maximum < math.inf:
            return f"{noun} from {self.minimum:g} to {self.maximum:g}"
        return f"{noun} above 0" if self.positive else f"{noun} of at least {self.minimum:g}"


# the options of every technique, which `finetuning.techniques.training.fit` reads
COMMON_OPTIONS: dict[str, Option] = {
    "optimizer": Option(str, "adamw", choices=("adamw", "sgd")),
    "schedule": Option(
        str, "cosine", choices=("cosine", "constant"), description="of the learning rate, after the warm-up"
    ),
    "rate": Option(float, required=True, positive=True, description="the highest learning rate"),
    "weight_decay": Option(float, 0.0),
    "momentum": Option(float, 0.9, description="of SGD"),
    "clip": Option(float, 1.0, description="the largest norm of the gradient; 0: no limit"),
    "batch": Option(int, required=True, minimum=1, description="samples per step"),
    "accumulate": Option(int, 1, minimum=1, description="parts in which a batch is computed, to save memory"),
    "epochs": Option(int, required=True, minimum=1),
    "patience": Option(int, minimum=1, description="epochs without a higher val accuracy after which training stops"),
    "selection": Option(
        str,
        "epochs",
        choices=("epochs", "untuned too"),
        description="the models among which the best by val accuracy is kept: those after each epoch, or these and the untuned one",
    ),
    "warmup": Option(float, 0.0, description="share of the steps in which the learning rate rises linearly"),
}

# of techniques that run the towers
PRECISION = Option(
    str,
    choices=("fp32", "bf16"),
    description="of the towers' forward pass (default: bf16 on an accelerator, else fp32)",
)


@dataclass(frozen=True)
class Technique:
    """A declared technique. Called with a workbench, a card, options and a seed, it returns a `TrainingResult`.

    summary: first line of the docstring.  options: its own options, besides the common ones.  function: the function itself; it
    receives all options, with defaults filled in.
    """

    name: str
    summary: str
    options: Mapping[str, Option]
    function: Callable[..., Any]

    @property
    def all_options(self) -> dict[str, Option]:
        return COMMON_OPTIONS | dict(self.options)

    def __call__(self, bench: Any, card: Any, options: Options, seed: int) -> Any:
        return self.function(bench, card, self.complete(options), seed)

    def complete(self, values: Options) -> dict[str, Any]:
        """All options of the technique, each of its own type: the given values, and defaults for the others.

        Raises InputError for an unknown, invalid or missing option.
        """
        self._check(values, lambda name, problem: InputError(f"technique '{self.name}': option '{name}' {problem}"))
        complete = {name: values.get(name, option.default) for name, option in self.all_options.items()}
        # 2.0 in a suite file becomes 2 for an option of kind int
        return {
            name: value if value is None else self.all_options[name].kind(value) for name, value in complete.items()
        }

    def check_options(self, values: Options, error: Callable[[str, str], InputError]) -> dict[str, Value]:
        """The options that a suite file sets, checked; numbers are floats, as the ledger stores them.

        error: from the name of an option and a problem to the exception that is raised.
        """
        self._check(values, error)
        # without defaults: `complete` fills them in when the technique is called
        return {name: value if isinstance(value, str) else float(value) for name, value in values.items()}

    def _check(self, values: Options, error: Callable[[str, str], InputError]) -> None:
        options = self.all_options
        for name, value in values.items():
            if name not in options:
                raise error(name, f"is not an option of technique '{self.name}'; known: {', '.join(options)}")
            if problem := options[name].problem(value):
                raise error(name, problem)
        for name, option in options.items():
            if option.required and name not in values:
                raise error(name, f"is missing; add {option._allowed()}")


def technique(
    *, options: Mapping[str, Option] | None = None, name: str | None = None
) -> Callable[[Callable[..., Any]], Technique]:
    """Declare a function `(bench, card, options, seed) -> TrainingResult` as a technique; its docstring says what it trains.

    options: its own options, besides `COMMON_OPTIONS`.  name: by default that of the function.
    Raises ValueError for an option that replaces a common one, or whose default is invalid.
    """
    # checked at import, so that a faulty declaration is a load failure of its package, not of a run
    own = dict(options or {})
    for option_name, option in own.items():
        # `fit` reads the common ones, so a technique cannot give them another meaning
        if option_name in COMMON_OPTIONS:
            raise ValueError(f"option '{option_name}' is an option of every technique; choose another name")
        if option.kind is str and not option.choices:
            raise ValueError(f"option '{option_name}' is a string without choices; list them")
        if option.default is not None and (problem := option.problem(option.default)):
            raise ValueError(f"option '{option_name}': the default {problem}")

    def declare(function: Callable[..., Any]) -> Technique:
        summary = (inspect.getdoc(function) or "").split("\n")[0]
        return Technique(name or function.__name__, summary, own, function)

    return declare


@functools.cache
def _plugins(only: str | None = None) -> Plugins[Technique]:
    plugins = load_plugins(GROUP, Technique, built_in=TECHNIQUES, only=only)
    for name, plugin in list(plugins.items()):
        # suites and messages use the name of the entry point, which may differ from that of the function
        plugins[name] = replace(plugin, name=name)
    return plugins


def read_options(name: str, fields: Fields) -> dict[str, Value]:
    """The options of a [techniques.NAME] table, checked against the declaration of the technique.

    Of a technique that is not installed, which `measure` refuses by name, only the common options can be checked.
    """
    values = fields.take_all()
    declared = find_technique(name)
    # such a suite can still be listed, and ranked against a ledger that exists
    if declared is None:
        own = {option: _accepting(value) for option, value in values.items() if option not in COMMON_OPTIONS}
        declared = Technique(name, "not installed", own, function=_not_installed)
    return declared.check_options(values, fields.invalid)


def _accepting(value: object) -> Option:
    """An option without a declaration: any number, or this very string."""
    return Option(str, choices=(value,)) if isinstance(value, str) else Option(float)


def _not_installed(*arguments: Any) -> Any:
    raise InputError("this technique is not installed; install its package")


def find_technique(name: str) -> Technique | None:
    """One technique; None if it is not installed or could not be loaded. Other plugins are not imported."""
    return _plugins(name).get(name)


def load_techniques() -> dict[str, Technique]:
    """All techniques, name to declaration. Raises InputError for a plugin that could not be loaded."""
    plugins = _plugins()
    for name, reason in plugins.failures.items():
        raise InputError(f"technique '{name}': {reason}")
    return dict(plugins)


def describe_techniques() -> dict[str, str]:
    """The summary of every technique, and for a technique that could not be loaded the reason."""
    plugins = _plugins()
    return {name: technique.summary for name, technique in plugins.items()} | plugins.failures
