"""Random numbers that are the same to the last bit on every machine.

NumPy promises a stable stream for its bit generators' raw output, not for what `Generator` makes of it, so the pocket
world draws from the raw output alone. Row i never depends on how many rows are asked for.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _raw(key: str, n: int, k: int) -> NDArray[np.uint64]:
    digest = hashlib.sha256(key.encode()).digest()
    stream = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    return stream.random_raw(n * k).reshape(n, k)


def uniforms(key: str, n: int, k: int) -> Floats:
    """(n, k) numbers in [0, 1), a function of `key` and of the row alone."""
    return (_raw(key, n, k) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choices(u: Floats, options: int) -> NDArray[np.int64]:
    """Turn uniforms into integers in 0..options-1, shape kept."""
    return np.minimum((u * options).astype(np.int64), options - 1)


def bells(key: str, n: int, size: int) -> NDArray[np.float32]:
    """(n, size) nearly normal numbers, mean 0 and deviation 1: sums of eight bytes, so that no rounding can differ."""
    eight = _raw(key, n, size).view(np.uint8).reshape(n, size, 8)
    total = np.zeros((n, size), np.int32)
    for byte in range(8):
        total += eight[:, :, byte]
    return ((total - 1020).astype(np.float32)) / np.float32(209.02)
