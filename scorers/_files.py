"""Reading embeddings from .npz, .safetensors, or a folder of .npy files. The last two are memory-mapped."""

import json
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from scorers._embeddings import Embeddings
from scorers._statistics import EmbeddingsError

SCALARS = ("logit_scale", "logit_bias", "n_parameters")
GENERAL = ("general_mean", "general_deviation")
FIELDS = ("image", "labels", "text", "source_probs", "energy", "class_names", "label_views", *GENERAL, *SCALARS)
LARGE = 2**30  # bytes that any field may take
EXPANSION = 100  # of compressed files above that; real embeddings hardly shrink, and zeros a thousandfold
# what numpy and the decompressors of zip archives raise on damaged files
READ_ERRORS = (
    *(ValueError, OSError, EOFError, TypeError, KeyError, IndexError, OverflowError, MemoryError, RecursionError),
    *(SyntaxError, RuntimeError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)
_DTYPES = {  # safetensors to numpy; numpy has no bfloat16
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
}


def load_embeddings(path: str | Path, **more: Any) -> Embeddings:
    """Embeddings from a file with the arrays `image` and `labels`, and optionally the others of `FIELDS`.

    more: inputs that replace those of the file.  Objects are never unpickled.
    Raises EmbeddingsError, in one line that names the file and the field.
    """
    path = Path(path)
    try:
        # a pipe would block for ever, and a device never ends
        if path.exists() and not path.is_dir() and not path.is_file():
            raise EmbeddingsError("is not a regular file")
        if path.is_file():
            try:
                path.open("rb").close()
            except OSError as problem:
                raise EmbeddingsError(f"cannot be read ({problem.strerror})") from None
        if path.is_dir():
            arrays = _folder(path)
        elif not path.exists():
            raise EmbeddingsError("there is no such file")
        elif path.suffix == ".npz":
            arrays = _npz(path)
        elif path.suffix == ".safetensors":
            arrays = _safetensors(path)
        else:
            raise EmbeddingsError(
                f"'{path.suffix}' files are not supported; give .npz, .safetensors or a folder of .npy files"
            )
        for field in ("image", "labels"):
            if field not in arrays:
                raise EmbeddingsError(f"field '{field}' is missing; found {', '.join(sorted(arrays)) or 'none'}")
        for field in SCALARS:
            if field in arrays:
                if np.size(arrays[field]) != 1:
                    raise EmbeddingsError(f"{field}: should be one number, found shape {np.shape(arrays[field])}")
                if np.asarray(arrays[field]).dtype.kind not in "fiu":
                    raise EmbeddingsError(f"{field}: should be a number, found {np.asarray(arrays[field]).dtype}")
                arrays[field] = float(np.asarray(arrays[field]).reshape(()))
        for field in ("class_names", "label_views"):
            if field in arrays and not np.ndim(arrays[field]):
                raise EmbeddingsError(
                    f"{field}: should be a list with an entry per class or view, found a single value"
                )
        if parts := [arrays.pop(field) for field in GENERAL if field in arrays]:
            if len(parts) < 2:
                raise EmbeddingsError(f"fields {' and '.join(GENERAL)} are needed together; one of them is missing")
            arrays["general"] = tuple(parts)
        return Embeddings(arrays.pop("image"), arrays.pop("labels"), **arrays | more)
    except EmbeddingsError as problem:
        raise EmbeddingsError(f"{path}: {problem}") from None


def _npz(path: Path) -> dict[str, Any]:
    try:
        # numpy takes another file for a pickle, with a message about pickles
        if not zipfile.is_zipfile(path):
            raise EmbeddingsError("cannot be read as .npz (not a zip archive)")
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.file_size > max(LARGE, EXPANSION * path.stat().st_size):
                    raise EmbeddingsError(
                        f"field '{member.filename.removesuffix('.npy')}' would take {member.file_size / 2**30:.1f} GiB from a file of "
                        f"{path.stat().st_size / 2**20:.1f} MiB; save it with np.savez, or as a folder of .npy files"
                    )
        with np.load(path, allow_pickle=False) as file:
            return {name: _array(file, name) for name in file.files if name in FIELDS}
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as problem:
        if isinstance(problem, EmbeddingsError):
            raise
        raise EmbeddingsError(f"cannot be read as .npz ({_first_line(problem)})") from None


def _array(file: Any, name: str) -> Any:
    try:
        return file[name]
    except READ_ERRORS as problem:
        raise EmbeddingsError(f"field '{name}' cannot be read ({_first_line(problem)})") from None


def _first_line(problem: Exception) -> str:
    return str(problem).splitlines()[0] if str(problem) else type(problem).__name__


def _folder(path: Path) -> dict[str, Any]:
    arrays = {}
    for name in FIELDS:
        file = path / f"{name}.npy"
        if file.exists():
            if not file.is_file():
                raise EmbeddingsError(f"field '{name}' is not a regular file")
            try:
                arrays[name] = np.load(file, mmap_mode="r", allow_pickle=False)
            except READ_ERRORS as problem:
                raise EmbeddingsError(f"field '{name}' cannot be read ({_first_line(problem)})") from None
    return arrays


def _safetensors(path: Path) -> dict[str, Any]:
    """Memory-map the tensors of a file: 8 bytes of header length, a JSON header with dtype, shape and offsets of each, then the data."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        # 100 MB is the format's own limit of a header
        if size < 8 or length > min(size - 8, 100_000_000):
            raise EmbeddingsError("cannot be read as .safetensors (its header is longer than the file)")
        try:
            header = json.loads(file.read(length))
            arrays = {}
            for name, entry in header.items():
                if name not in FIELDS:
                    continue
                start, end = entry["data_offsets"]
                if entry["dtype"] not in _DTYPES:
                    raise EmbeddingsError(
                        f"field '{name}' has dtype {entry['dtype']}; save it as one of {', '.join(_DTYPES)}"
                    )
                dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
                if any(type(k) is not int or k < 0 for k in (*shape, start, end)):
                    raise EmbeddingsError(f"field '{name}' has shape {entry['shape']}; save it again")
                if not 0 <= start <= end <= size - 8 - length or end - start != dtype.itemsize * math.prod(shape):
                    raise EmbeddingsError(
                        f"field '{name}' does not fit into the file, which is truncated or corrupt; save it again"
                    )
                arrays[name] = (
                    # an empty array cannot be memory-mapped
                    np.memmap(path, dtype, "r", 8 + length + start, shape) if end > start else np.empty(shape, dtype)
                )
        # deep nesting, and integers of thousands of digits
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, OSError) as problem:
            if isinstance(problem, EmbeddingsError):
                raise
            raise EmbeddingsError(f"cannot be read as .safetensors ({_first_line(problem)})") from None
    return arrays
