"""The files of a model: where they are on this machine, which are missing, and the fingerprint of their content.

Nothing here loads a model or uses the network.
"""

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmark import files
from benchmark.errors import InputError, UsageError, first_line, unknown_name
from benchmark.models.model import Model
from leaderboard.regular_files import TEXT_BYTES, read_text

IGNORED_FILES = ("pretraining.json",)  # in a model's folder, without influence on the model
# the names that weights may have in a repository of the Hub, preferred ones first
OPEN_CLIP_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
TIMM_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TOKENIZER = ("tokenizer_config.json", "tokenizer.json")


@lru_cache(maxsize=256)  # size and modification time make a changed file a new entry
def _file_digest(path: Path, size: int, mtime_ns: int) -> str:
    return files.digest(path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    # the Hub's cache links each large file to a blob that is named by its SHA-256
    if re.fullmatch("[0-9a-f]{64}", path.resolve().name):
        return path.resolve().name
    stat = path.stat()
    return _file_digest(path, stat.st_size, stat.st_mtime_ns)


def fingerprint(model: Model) -> dict[str, str]:
    """All that decides a model's embeddings: digests of weights, configuration (with preprocessing) and vocabulary.

    The files must be on this machine.
    """
    if folder := _local_folder(model):
        # the files themselves, not the path, so that a moved folder has the same fingerprint
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        parts = {
            path.name: file_digest(path) for path in files if path.name not in IGNORED_FILES and path.suffix != ".md"
        }
        # the same files give other embeddings in open_clip than in timm
        parts |= {"load": "timm"} if model.vision_only else {}
    else:
        parts = {"load": model.load} | {name: file_digest(path) for name, path in model_files(model).items() if path}
        # a model of the Hub has its configuration among its files
        if ":" not in model.load or (model.load.startswith("timm:") and "hf-hub:" not in model.load):
            parts["configuration"] = _library_configuration(model.load)
    if model.bpe:
        parts["bpe"] = file_digest(model.bpe)
    return parts


@lru_cache(maxsize=256)
def _library_configuration(load: str) -> str:
    """Digest of the architecture and preprocessing of a named model, which are in the code of open_clip or timm."""
    config: Any
    if load.startswith("timm:"):
        import timm

        pretrained = timm.get_pretrained_cfg(load.removeprefix("timm:"))
        config = pretrained.to_dict() if pretrained else {}
    else:
        import open_clip

        architecture, _, tag = load.rpartition("/")
        config = [open_clip.get_model_config(architecture or tag), open_clip.get_pretrained_cfg(architecture, tag)]
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()


def missing_files(model: Model) -> list[str]:
    """The files to download, as REPOSITORY/FILE of the Hub or as an address.

    The tokenizer of a model is known only once its configuration is on this machine.
    """
    return [name for name, path in model_files(model).items() if path is None]


def model_files(model: Model) -> dict[str, Path | None]:
    """The files of a model and their paths on this machine, None if missing; empty for a model in a local folder."""
    if _local_folder(model):
        return {}
    files: dict[str, Path | None] = {}
    if model.weights:
        files["weights"] = model.weights
    else:
        origin = _origin(model)
        # weights at an address: a single file, without configuration
        if not origin.repo:
            path = url_folder(model) / Path(origin.url).name
            return {origin.url: path if path.exists() else None}
        for config in _configurations(model):
            files[f"{origin.repo}/{config}"] = _cached(model, origin.repo, config)
        # a name that is cached already, else the preferred one
        cached_name = next((name for name in origin.names if _cached(model, origin.repo, name)), origin.names[0])
        files[f"{origin.repo}/{cached_name}"] = _cached(model, origin.repo, cached_name)
    if repo := _tokenizer_repo(model, files):
        for name in TOKENIZER:
            path_or_none = _cached(model, repo, name)
            # only the first is required: slow tokenizers have no tokenizer.json
            if path_or_none or name == TOKENIZER[0]:
                files[f"{repo}/{name}"] = path_or_none
    return files


def _configurations(model: Model) -> list[str]:
    if not model.load.removeprefix("timm:").startswith("hf-hub:"):
        return []
    return ["config.json"] if model.vision_only else ["open_clip_config.json"]


def _tokenizer_repo(model: Model, files: dict[str, Path | None]) -> str:
    """The Hub repository of the text tower's tokenizer; "" for open_clip's own tokenizer, or without the configuration."""
    if model.vision_only:
        return ""
    config: Any = None
    for name, path in files.items():
        if name.endswith("/open_clip_config.json"):
            if path is None:
                return ""
            config = _read_config(path).get("model_cfg", {})
    if config is None:
        import open_clip

        architecture, _, last = model.load.rpartition("/")
        config = open_clip.get_model_config(architecture or last) or {}
    return str(config.get("text_cfg", {}).get("hf_tokenizer_name", "") or "")


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(read_text(path, TEXT_BYTES))
    except (OSError, ValueError, RecursionError) as problem:
        raise InputError(f"{path}: cannot be read as JSON ({first_line(problem)})", "fetch the model again") from None
    return config if isinstance(config, dict) else {}


def _local_folder(model: Model) -> Path | None:
    _, prefix, folder = model.load.partition("local-dir:")
    return Path(folder) if prefix else None


class _Origin(NamedTuple):
    """Where weights are downloaded from: a repository of the Hub and the names they may have there, or an address."""

    repo: str
    names: tuple[str, ...]
    url: str = ""


def _origin(model: Model) -> _Origin:
    if model.load.startswith("hf-hub:"):
        return _Origin(model.load.removeprefix("hf-hub:"), OPEN_CLIP_WEIGHTS)
    return _timm_origin(model) if model.vision_only else _open_clip_origin(model)


def _open_clip_origin(model: Model) -> _Origin:
    import open_clip

    architecture, _, tag = model.load.rpartition("/")
    if architecture not in open_clip.list_models():
        raise _unknown_model(model, architecture, open_clip.list_models())
    config = open_clip.get_pretrained_cfg(architecture, tag)
    if not config:
        raise _unknown_model(model, model.load, [f"{a}/{t}" for a, t in open_clip.list_pretrained()])
    repo, _, name = str(config.get("hf_hub", "")).rpartition("/")  # REPOSITORY/FILE, or REPOSITORY/
    return _Origin(repo, (name,) if name else OPEN_CLIP_WEIGHTS, config.get("url", ""))


def _timm_origin(model: Model) -> _Origin:
    import timm

    name = model.load.removeprefix("timm:")
    if name.startswith("hf-hub:"):
        return _Origin(name.removeprefix("hf-hub:"), TIMM_WEIGHTS)
    # NAME.TAG: the architecture and the weights
    if not timm.is_model(name.split(".")[0]):
        raise _unknown_model(model, name, timm.list_models())
    try:
        config: Any = timm.get_pretrained_cfg(name, allow_unregistered=False)
    except RuntimeError:
        config = None
    if not config or not config.has_weights:
        raise _unknown_model(model, name, timm.list_pretrained(f"{name.split('.')[0]}.*"))
    return _Origin(config.hf_hub_id or "", TIMM_WEIGHTS, config.url or "")


def _unknown_model(model: Model, name: str, library_names: list[str]) -> UsageError:
    """The error for a name that open_clip or timm does not know; without the remedy, which lists the suite's models."""
    error = unknown_name("model", name, library_names)
    return UsageError(f"model '{model.name}': {error.problem}", suggestions=error.suggestions)


def _cached(model: Model, repo: str, name: str) -> Path | None:
    """The path of a file in the Hub's cache, None if it is not there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(repo, name)
    except HFValidationError as problem:
        raise UsageError(
            f"model '{model.name}': '{repo}' is not a repository of the Hub ({first_line(problem)})",
            "give hf-hub:ORG/NAME",
        ) from None
    return Path(path) if isinstance(path, str) else None


def url_folder(model: Model) -> Path:
    """The folder in which open_clip or timm looks for weights that are not on the Hub."""
    if not model.vision_only:
        return Path.home() / ".cache" / "clip"
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"
