"""The files that a model is made of: where they are, how they come here, and what they are (without loading the model)."""

import contextlib
import hashlib
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from benchmark.errors import InputError, UsageError, first_line, unknown_name
from benchmark.models.model import Model
from benchmark.tasks.sources.download import download

NOTES = ("pretraining.json",)  # beside a model, and without influence on it
OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
TIMM = ("model.safetensors", "pytorch_model.bin")
TOKENIZER = ("tokenizer_config.json", "tokenizer.json")


@lru_cache(maxsize=256)
def _file_digest(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file; the Hub's cache names its large files by it."""
    if re.fullmatch("[0-9a-f]{64}", path.resolve().name):
        return path.resolve().name
    stat = path.stat()
    return _file_digest(path, stat.st_size, stat.st_mtime_ns)


def fingerprint(model: Model) -> dict[str, str]:
    """What decides a model's embeddings: weights, configuration (preprocessing included), vocabulary. Needs its files here."""
    if folder := _local_dir(model):
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        found = {path.name: file_digest(path) for path in files if path.name not in NOTES and path.suffix != ".md"}
        found |= {"load": "timm"} if model.vision_only else {}
    else:
        found = {"load": model.load} | {name: file_digest(path) for name, path in files_of(model).items() if path}
        if ":" not in model.load or (model.load.startswith("timm:") and "hf-hub:" not in model.load):
            found["configuration"] = _library_configuration(model.load)
    if model.bpe:
        found["bpe"] = file_digest(model.bpe)
    return found


@lru_cache(maxsize=256)
def _library_configuration(load: str) -> str:
    """Architecture and preprocessing of a named model, which live in the code of open_clip or timm."""
    config: Any
    if load.startswith("timm:"):
        import timm

        known = timm.get_pretrained_cfg(load.removeprefix("timm:"))
        config = known.to_dict() if known else {}
    else:
        import open_clip

        architecture, _, tag = load.rpartition("/")
        config = [open_clip.get_model_config(architecture or tag), open_clip.get_pretrained_cfg(architecture, tag)]
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()


def missing_files(model: Model) -> list[str]:
    """The files that have to be fetched, as REPOSITORY/FILE or an address."""
    return [name for name, path in files_of(model).items() if path is None]


def files_of(model: Model) -> dict[str, Path | None]:
    """Each file that a model loads from somewhere else than a folder of the suite, and where it is here."""
    if _local_dir(model):
        return {}
    found: dict[str, Path | None] = {}
    if model.weights:
        found["weights"] = model.weights
    else:
        repo, names, url = _origin(model)
        if not repo:
            path = _url_folder(model) / Path(url).name
            return {url: path if path.exists() else None}
        for config in _configurations(model):
            found[f"{repo}/{config}"] = _cached(model, repo, config)
        here = next((name for name in names if _cached(model, repo, name)), names[0])
        found[f"{repo}/{here}"] = _cached(model, repo, here)
    for repo in _tokenizer(model, found):
        for name in TOKENIZER:
            if (here_too := _cached(model, repo, name)) or name == TOKENIZER[0]:
                found[f"{repo}/{name}"] = here_too
    return found


def fetch(model: Model, say: Callable[[str], None]) -> None:
    """Bring a model's files into the local caches of the Hub. Raises InputError that says which file to fetch, and how."""
    if not missing_files(model):
        return
    _reach(model)
    while lacking := missing_files(model):  # what a configuration names is known once it is here
        name = lacking[0]
        say(f"fetch: {name} for model '{model.name}'")
        if name.startswith("http"):
            by_hand = f"put {name} into {_url_folder(model)}"
            _or_line(model, name, by_hand, partial(_from_url, name, _url_folder(model)))
            continue
        repo, _, file = name.rpartition("/")
        names = next((of for of in (OPEN_CLIP, TIMM) if file in of), (file,))
        _or_line(model, name, _by_hand(repo, file), partial(_from_hub, repo, names))
        if file == TOKENIZER[0]:
            _or_line(
                model,
                f"the tokenizer {repo}",
                f"where there is a network, `hf download {repo}`",
                partial(_whole_tokenizer, model),
            )


def _configurations(model: Model) -> list[str]:
    if not model.load.removeprefix("timm:").startswith("hf-hub:"):
        return []
    return ["config.json"] if model.vision_only else ["open_clip_config.json"]


def _tokenizer(model: Model, found: dict[str, Path | None]) -> list[str]:
    """The repository of the Hugging Face tokenizer that a text tower wants; known where its configuration is."""
    if model.vision_only:
        return []
    config: Any = None
    for name, path in found.items():
        if name.endswith("/open_clip_config.json"):
            if path is None:
                return []
            config = json.loads(path.read_text(encoding="utf-8")).get("model_cfg", {})
    if config is None:
        import open_clip

        architecture, _, last = model.load.rpartition("/")
        config = open_clip.get_model_config(architecture or last) or {}
    repo = config.get("text_cfg", {}).get("hf_tokenizer_name", "")
    return [repo] if repo else []


def _local_dir(model: Model) -> Path | None:
    _, found, where = model.load.partition("local-dir:")
    return Path(where) if found else None


def _origin(model: Model) -> tuple[str, tuple[str, ...], str]:
    """Hub repository, names under which the weights may be there, and else an address."""
    if model.load.startswith("hf-hub:"):
        return model.load.removeprefix("hf-hub:"), OPEN_CLIP, ""
    return _timm_origin(model) if model.vision_only else _open_clip_origin(model)


def _open_clip_origin(model: Model) -> tuple[str, tuple[str, ...], str]:
    import open_clip

    architecture, _, tag = model.load.rpartition("/")
    if architecture not in open_clip.list_models():
        raise _no_model(model, architecture, open_clip.list_models())
    found = open_clip.get_pretrained_cfg(architecture, tag)
    if not found:
        raise _no_model(model, model.load, [f"{a}/{t}" for a, t in open_clip.list_pretrained()])
    hub: str = found.get("hf_hub", "")
    repo, _, name = hub.rpartition("/")
    return repo, (name,) if name else OPEN_CLIP, found.get("url", "")


def _timm_origin(model: Model) -> tuple[str, tuple[str, ...], str]:
    import timm

    name = model.load.removeprefix("timm:")
    if name.startswith("hf-hub:"):
        return name.removeprefix("hf-hub:"), TIMM, ""
    if not timm.is_model(name.split(".")[0]):
        raise _no_model(model, name, timm.list_models())
    try:
        found: Any = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        found = None
    if not found or not found.has_weights:
        raise _no_model(model, name, timm.list_pretrained(f"{name.split('.')[0]}.*"))
    return found.hf_hub_id or "", TIMM, found.url or ""


def _no_model(model: Model, name: str, known: list[str]) -> UsageError:
    near = str(unknown_name("model", name, known)).partition(" (`")[0]
    return UsageError(f"model '{model.name}': {near}")


def _cached(model: Model, repo: str, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repo, name)
    except HFValidationError as problem:
        raise UsageError(
            f"model '{model.name}': '{repo}' is no repository of the Hub ({first_line(problem)})"
        ) from None
    return Path(found) if isinstance(found, str) else None


def _from_hub(repo: str, names: tuple[str, ...]) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for name in names:
        try:
            hf_hub_download(repo, name)
            return
        except LocalEntryNotFoundError:
            raise
        except EntryNotFoundError:
            if name == names[-1]:
                raise


def _url_folder(model: Model) -> Path:
    """Where the libraries look for weights that are fetched from an address of their own."""
    if not model.vision_only:
        return Path.home() / ".cache" / "clip"
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _from_url(url: str, folder: Path) -> None:
    download(url, folder / Path(url).name)


def _reach(model: Model) -> None:
    """Say at once that there is no network, where the Hub's own client would try for half a minute."""
    from huggingface_hub import constants

    lacking = missing_files(model)
    if all(name.startswith("http") for name in lacking):
        return
    repo, _, file = next(name for name in lacking if not name.startswith("http")).rpartition("/")
    problem: object = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        try:
            with contextlib.suppress(urllib.error.HTTPError):  # an answer, if only a refusal
                urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=10).close()
            return
        except OSError as found:
            problem = getattr(found, "reason", None) or found
    more = f"; lacking too: {', '.join(lacking[1:])}" if len(lacking) > 1 else ""
    raise InputError(
        f"model '{model.name}': {repo}/{file} is not here and cannot be fetched ({problem}); {_by_hand(repo, file)}{more}"
    )


def _whole_tokenizer(model: Model) -> None:
    """Which files a tokenizer has is for its library to know."""
    import open_clip

    open_clip.get_tokenizer(model.load if ":" in model.load or model.weights else model.load.rpartition("/")[0])


def _by_hand(repo: str, file: str) -> str:
    return f"where there is a network, `hf download {repo} {file}`, and bring the Hub's cache here (HF_HOME names its folder)"


def _or_line(model: Model, what: str, how: str, bring: Callable[[], None]) -> None:
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # its retries are no news to the reader of the line below
    try:
        bring()
    except Exception as problem:  # whatever a network, a server or a disk may cause
        first: BaseException = problem
        while first.__cause__ or first.__context__:
            first = first.__cause__ or first.__context__ or first
        raise InputError(
            f"model '{model.name}': {what} is not here and cannot be fetched ({first_line(first)}); {how}"
        ) from None
