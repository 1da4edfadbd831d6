"""Downloading the files of a model into the caches of its libraries."""

import contextlib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark.errors import InputError, first_line
from benchmark.models.model import Model
from benchmark.models.weights import OPEN_CLIP_WEIGHTS, TIMM_WEIGHTS, TOKENIZER, missing_files, url_folder
from benchmark.tasks.sources.download import download


def fetch_model(model: Model, report: Callable[[str], None]) -> None:
    """Download the missing files of a model. Raises InputError with the name of the file and the command that downloads it."""
    if not missing_files(model):
        return
    _check_network(model)
    while missing := missing_files(model):  # a new configuration may name a tokenizer
        name = missing[0]
        report(f"fetch: {name} for model '{model.name}'")
        if _is_url(name):
            path = url_folder(model) / Path(name).name
            with _one_line_errors(model, name, f"put {name} into {path.parent}"):
                download(name, path)
            continue
        repo, _, file = name.rpartition("/")
        # the same weights may have one of several names
        names = next((group for group in (OPEN_CLIP_WEIGHTS, TIMM_WEIGHTS) if file in group), (file,))
        with _one_line_errors(model, name, _manual_remedy(repo, file)):
            _from_hub(repo, names)
        if file == TOKENIZER[0]:
            remedy = f"on a machine with a network connection, run `hf download {repo}`"
            with _one_line_errors(model, f"the tokenizer {repo}", remedy):
                _fetch_tokenizer(model)


def _is_url(name: str) -> bool:
    return name.startswith("http")


def _from_hub(repo: str, names: tuple[str, ...]) -> None:
    """Download the first of the named files that the repository has."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for name in names:
        try:
            hf_hub_download(repo, name)
            return
        except LocalEntryNotFoundError:  # no network; a subclass of the next
            raise
        except EntryNotFoundError:
            if name == names[-1]:
                raise


def _check_network(model: Model) -> None:
    """Raise InputError at once if the Hub cannot be reached; its own client would retry for half a minute."""
    from huggingface_hub import constants

    missing = missing_files(model)
    if all(map(_is_url, missing)):  # the Hub is not needed
        return
    repo, _, file = next(name for name in missing if not _is_url(name)).rpartition("/")
    reason: object = "HF_HUB_OFFLINE is set"
    if not constants.HF_HUB_OFFLINE:
        try:
            with contextlib.suppress(urllib.error.HTTPError):  # any answer means that the Hub can be reached
                urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=10).close()
            return
        except OSError as error:
            reason = getattr(error, "reason", None) or error
    others = f"; also missing: {', '.join(missing[1:])}" if len(missing) > 1 else ""
    raise InputError(
        f"model '{model.name}': {repo}/{file} is not on this machine and cannot be downloaded ({reason})",
        _manual_remedy(repo, file) + others,
    )


def _fetch_tokenizer(model: Model) -> None:
    """Let open_clip download the tokenizer, since only its library knows which files it consists of."""
    import open_clip

    is_name_with_tag = ":" not in model.load and not model.weights
    open_clip.get_tokenizer(model.load.rpartition("/")[0] if is_name_with_tag else model.load)


def _manual_remedy(repo: str, file: str) -> str:
    return (
        f"on a machine with a network connection, run `hf download {repo} {file}`, "
        "and copy the Hub's cache to this machine (HF_HOME is its folder)"
    )


@contextlib.contextmanager
def _one_line_errors(model: Model, name: str, remedy: str) -> Iterator[None]:
    """Turn any error of a download into an InputError of one line that gives the first cause."""
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # its reports of retries would only repeat that line
    try:
        yield
    except Exception as error:  # a network, a server or a disk can raise anything
        cause: BaseException = error
        while cause.__cause__ or cause.__context__:
            # libraries wrap errors; the innermost one says what happened
            cause = cause.__cause__ or cause.__context__ or cause
        raise InputError(
            f"model '{model.name}': {name} is not on this machine and cannot be downloaded ({first_line(cause)})",
            remedy,
        ) from None
