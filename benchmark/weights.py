"""The files that a model is made of: where they are, how they come here, and what they are (without loading the model)."""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from benchmark.errors import InputError, UsageError, unknown
from benchmark.suite import Model

NOTES = ("pretraining.json",)  # beside a model, and without influence on it
OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
TIMM = ("model.safetensors", "pytorch_model.bin")


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


def identity(model: Model) -> dict[str, str]:
    """What decides a model's embeddings: weights, configuration (preprocessing included), vocabulary. Needs its files here."""
    if folder := _local_dir(model):
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        found = {path.name: file_digest(path) for path in files if path.name not in NOTES and path.suffix != ".md"}
        found |= {"load": "timm"} if model.vision_only else {}
    else:
        found = {"load": model.load} | {name: file_digest(path) for name, path in files_of(model).items() if path}
    if model.bpe:
        found["bpe"] = file_digest(model.bpe)
    return found


def absent(model: Model) -> list[str]:
    """The files that have to be fetched, as REPOSITORY/FILE or an address."""
    return [name for name, path in files_of(model).items() if path is None]


def files_of(model: Model) -> dict[str, Path | None]:
    """Each file that a model loads from somewhere else than a folder of the suite, and where it is here."""
    if _local_dir(model):
        return {}
    if model.weights:
        return {"weights": model.weights}
    repo, names, url = _origin(model)
    if not repo:
        path = Path.home() / ".cache" / "clip" / Path(url).name
        return {url: path if path.exists() else None}
    found: dict[str, Path | None] = {}
    if model.load.startswith("hf-hub:"):
        found[f"{repo}/open_clip_config.json"] = _cached(repo, "open_clip_config.json")
    here = next((name for name in names if _cached(repo, name)), names[0])
    return found | {f"{repo}/{here}": _cached(repo, here)}


def fetch(model: Model, say: Callable[[str], None]) -> None:
    """Bring a model's files into the local caches of the Hub. Raises InputError that says which file to fetch, and how."""
    for name in absent(model):
        say(f"fetch: {name} for model '{model.name}'")
        repo, names, url = _origin(model)
        if not repo:
            _or_line(model, url, f"put {url} into {Path.home() / '.cache' / 'clip'}", partial(_open_clip_url, url))
            continue
        file = name.removeprefix(f"{repo}/")
        _or_line(model, name, _by_hand(repo, file), partial(_from_hub, repo, names if file in names else (file,)))


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
    near = str(unknown("model", name, known)).partition(" (`")[0]
    return UsageError(f"model '{model.name}': {near}")


def _cached(repo: str, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, name)
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


def _open_clip_url(url: str) -> None:
    import open_clip

    open_clip.download_pretrained_from_url(url)


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
        said = str(first).splitlines()[0] if str(first) else type(first).__name__
        raise InputError(f"model '{model.name}': {what} is not here and cannot be fetched ({said}); {how}") from None
