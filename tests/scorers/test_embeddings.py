"""Validation of embeddings, missing inputs, and reading from files."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from scorers import Abstain, Embeddings, EmbeddingsError, load_embeddings, score_embeddings

X, Y = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) % 3
T = np.random.default_rng(1).normal(size=(3, 4))
P = np.full((12, 5), 0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": X[0]}, "image: should have 2 dimensions, found shape (4,)"),
        ({"image": X[:0], "labels": Y[:0]}, "image: shape (0, 4) is empty"),
        ({"image": X.astype(str)}, "image: dtype <U"),
        ({"image": np.where(np.arange(48).reshape(12, 4) == 21, np.nan, X)}, "image: row 5 contains NaN or Inf"),
        ({"image": np.where(np.arange(48).reshape(12, 4) == 0, np.inf, X)}, "image: row 0 contains NaN or Inf"),
        ({"labels": Y[:-1]}, "labels: shape (11,) where image has 12 rows"),
        ({"labels": Y[:, None]}, "labels: shape (12, 1)"),
        ({"labels": Y - 1}, "labels: -1 at row 0 is not in 0..2^63-1"),
        (
            {"labels": np.uint64(2**64 - 1) - Y.astype(np.uint64)},
            "labels: 18446744073709551613 at row 2 is not in 0..2^63-1",
        ),
        ({"n_parameters": 0}, "n_parameters: 0 is not above 0"),
        ({"n_parameters": float("inf")}, "n_parameters: inf is not above 0"),
        ({"source_probs": P[:, :0]}, "source_probs: has no columns"),
        ({"labels": Y + 0.5}, "labels: should be whole numbers, found float64"),
        ({"labels": Y + 1, "text": T}, "labels: class 3 is outside the 3 classes (0..2)"),
        ({"labels": Y + 1, "class_names": ["a", "b", "c"]}, "labels: class 3 is outside the 3 classes"),
        ({"text": T[:, :3]}, "text: has 3 dimensions where image has 4"),
        ({"text": T * np.nan}, "text: row 0 contains NaN or Inf"),
        ({"text": T, "class_names": ["a", "b"]}, "class_names: 2 names for the 3 rows of text"),
        ({"source_probs": P[:5]}, "source_probs: 5 rows where image has 12"),
        ({"source_probs": P * 2}, "source_probs: its rows are not distributions"),
        ({"source_probs": P - 0.3}, "source_probs: its rows are not distributions"),
        ({"logit_scale": 0.0}, "logit_scale: 0.0 is not above 0"),
        ({"logit_scale": float("nan")}, "logit_scale: nan is not above 0"),
    ],
)
def test_inconsistent_inputs_raise_an_error_that_names_the_array(change: dict[str, object], message: str) -> None:
    arrays = {"image": X, "labels": Y, **change}
    with pytest.raises(EmbeddingsError) as caught:
        Embeddings(arrays.pop("image"), arrays.pop("labels"), **arrays)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("text", "needs class text embeddings"),
        ("source_probs", "needs a posterior over a source vocabulary"),
        ("logit_scale", "needs the model's logit scale"),
        ("energy", r"needs logits \(class texts and the logit scale, or a source classifier's energy\)"),
        ("label_views", "needs class texts under the text towers of other models"),
        ("general", "needs the mean and deviation"),
        ("n_parameters", "needs the model's number of parameters"),
        ("ledger", "needs the model's measured ranks on other tasks"),
        ("zero_shot", "needs class text embeddings"),
    ],
)
def test_reading_a_missing_input_abstains(name: str, reason: str) -> None:
    e = Embeddings(X, Y)
    with pytest.raises(Abstain, match=reason):
        getattr(e, name)
    assert not e.has("text")
    assert Embeddings(X, Y, text=T, logit_scale=1.0).has("energy")


def test_classes_that_do_not_occur_are_ignored() -> None:
    e = Embeddings(X, np.where(Y == 1, 7, Y))
    assert e.classes.tolist() == [0, 2, 7]
    assert e.statistics.counts.tolist() == [4, 4, 4]


def write_embeddings(folder: Path, form: str, **arrays: np.ndarray) -> Path:
    if form == "npz":
        np.savez(folder / "e.npz", **arrays)
        return folder / "e.npz"
    if form == "safetensors":
        save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, folder / "e.safetensors")
        return folder / "e.safetensors"
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.mark.parametrize("form", ["npz", "safetensors", "npy"])
def test_every_file_format_gives_the_same_scores(form: str, tmp_path: Path) -> None:
    path = write_embeddings(
        tmp_path, form, image=X.astype("f4"), labels=Y, text=T, source_probs=P, logit_scale=np.array(10.0)
    )
    e = load_embeddings(path)
    direct = Embeddings(X.astype("f4"), Y, text=T, source_probs=P, logit_scale=10.0)
    assert score_embeddings(e)["scores"] == score_embeddings(direct)["scores"]
    assert e.logit_scale == 10
    assert form == "npz" or isinstance(e.image.base, np.memmap) or isinstance(e.image, np.memmap)


@pytest.mark.parametrize("form", ["npz", "safetensors", "npy"])
def test_a_missing_field_is_named(form: str, tmp_path: Path) -> None:
    path = write_embeddings(tmp_path, form, image=X)
    with pytest.raises(EmbeddingsError, match=r"field 'labels' is missing; found image"):
        load_embeddings(path)


def test_an_unreadable_file_raises_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_embeddings(tmp_path, "npz", image=X, labels=Y)
    path.write_bytes(path.read_bytes()[:-100])
    for name, message in [
        ("e.npz", "cannot be read as .npz"),
        ("none.npz", "there is no such file"),
        ("e.csv", "'.csv' files are not supported"),
    ]:
        (tmp_path / "e.csv").touch()
        with pytest.raises(EmbeddingsError, match=f"{name}: {message}"):
            load_embeddings(tmp_path / name)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"logit_scale": np.array("abc")}, "logit_scale: should be a number, found <U3"),
        ({"class_names": np.array("abc")}, "class_names: should be a list"),
        ({"label_views": np.array(1.0)}, "label_views: should be a list"),
        ({"general_mean": np.zeros(4)}, "fields general_mean and general_deviation are needed together"),
    ],
)
def test_an_invalid_optional_field_is_named(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    with pytest.raises(EmbeddingsError, match=message):
        load_embeddings(write_embeddings(tmp_path, "npz", image=X, labels=Y, **arrays))


def test_a_file_that_is_not_an_npz_archive_is_rejected(tmp_path: Path) -> None:
    np.save(tmp_path / "e.npy", X)
    for body in (b"garbage", (tmp_path / "e.npy").read_bytes(), b""):
        (tmp_path / "e.npz").write_bytes(body)
        with pytest.raises(EmbeddingsError, match=r"e\.npz: cannot be read as \.npz"):
            load_embeddings(tmp_path / "e.npz")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "sprung").touch, ())

    np.savez(tmp_path / "e.npz", image=np.array([Trap()] * 3, object), labels=np.arange(3))
    np.save(tmp_path / "image.npy", np.array([Trap()] * 3, object), allow_pickle=True)
    np.save(tmp_path / "labels.npy", np.arange(3))
    for path in (tmp_path / "e.npz", tmp_path):
        with pytest.raises(EmbeddingsError, match="field 'image' cannot be read"):
            load_embeddings(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("cut", [3, 40, 200, -1])
def test_a_truncated_safetensors_file_is_rejected(cut: int, tmp_path: Path) -> None:
    path = write_embeddings(tmp_path, "safetensors", image=X, labels=Y)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(EmbeddingsError):
        load_embeddings(path)


def test_a_safetensors_header_that_contradicts_the_file_is_rejected(tmp_path: Path) -> None:
    for entry in (
        {"dtype": "F64", "shape": [10**9, 4], "data_offsets": [0, 32]},
        {"dtype": "F64", "shape": [1, 4], "data_offsets": [-8, 24]},
        {"dtype": "BF16", "shape": [1, 4], "data_offsets": [0, 8]},
        {"dtype": "F64", "shape": [1.0, 4], "data_offsets": [0, 32]},
        {"dtype": "F64", "shape": [True, 4], "data_offsets": [0, 32]},
        {"dtype": "F64", "shape": "14", "data_offsets": [0, 32]},
        {"dtype": "F64"},
        7,
    ):
        header = json.dumps({"image": entry, "labels": entry}).encode()
        (tmp_path / "e.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
        with pytest.raises(EmbeddingsError, match=r"e\.safetensors"):
            load_embeddings(tmp_path / "e.safetensors")


@pytest.mark.slow
def test_a_memory_mapped_file_is_scored_in_less_memory_than_its_size(tmp_path: Path) -> None:
    """600 MB of rows under a limit of 400 MB on what the process may allocate; a mapped file does not count to that."""
    rng = np.random.default_rng(0)
    image = np.lib.format.open_memmap(tmp_path / "image.npy", "w+", "f2", (1_200_000, 256))
    for start in range(0, len(image), 100_000):
        image[start : start + 100_000] = rng.normal(size=(100_000, 256))
    del image
    np.save(tmp_path / "labels.npy", np.arange(1_200_000) % 10)
    np.save(tmp_path / "text.npy", rng.normal(size=(10, 256)))
    code = (
        "import scorers\n"
        "e = scorers.load_embeddings('.')\n"
        "result = scorers.score_embeddings(e, ['iimm', 'h_score', 'logme', 'lfc', 'gbc_diagonal'])\n"
        "assert not result['abstained'], result\n"
        "print(max(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('RssAnon')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (400 * 2**20, 400 * 2**20)),
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400 * 1024
