"""Random numbers that are bitwise identical on every machine.

NumPy guarantees the stream of a bit generator's raw output, but not that of `Generator`'s distributions. So everything here is
computed from the raw output alone. Row i does not depend on the number of rows.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _raw(key: str, n: int, k: int) -> NDArray[np.uint64]:
    """(n, k) uniform 64-bit integers from the stream that `key` seeds."""
    digest = hashlib.sha256(key.encode()).digest()
    stream = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
    return stream.random_raw(n * k).reshape(n, k)


def uniforms(key: str, n: int, k: int) -> Floats:
    """(n, k) uniform numbers in [0, 1): the upper 53 bits of each raw integer, scaled by 2^-53."""
    return (_raw(key, n, k) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def choices(u: Floats, options: int) -> NDArray[np.int64]:
    """Map uniform numbers in [0, 1) to integers 0..options-1, element by element."""
    # the minimum guards against u * options that rounds up to `options`
    return np.minimum((u * options).astype(np.int64), options - 1)


def normals(key: str, n: int, size: int) -> NDArray[np.float32]:
    """(n, size) approximately normal numbers with mean 0 and standard deviation 1.

    Each is a sum of eight uniform bytes, standardised. The sum is in integers, so no rounding differs between machines.
    """
    octets = _raw(key, n, size).view(np.uint8).reshape(n, size, 8)
    total = np.zeros((n, size), np.int32)
    for i in range(8):
        total += octets[:, :, i]
    # of a uniform byte: mean 127.5, variance (256^2 - 1) / 12; of the sum of eight: mean 1020, deviation 209.02
    return ((total - 1020).astype(np.float32)) / np.float32(209.02)
