"""The byte-pair vocabulary of the pocket models, its merges learned from the corpus's captions."""

import gzip
import io
from collections import Counter
from itertools import pairwise
from pathlib import Path

from benchmark.pocket.corpus import FIRST, Corpus, pairs

MERGES = 320
MERGES_2 = 600  # of the second corpus, whose captions have more words


def learn_merges(captions: list[str], limit: int = MERGES) -> list[tuple[str, str]]:
    """The most frequent pairs, merged one by one until `limit` or until no pair occurs twice; ties go to the smaller pair."""
    # each word once with its count: pairs never cross words
    words = Counter(word for caption in captions for word in caption.split() if word.isascii())
    # "</w>" marks the end of a word, as in CLIP's vocabulary
    spelled = {(*word[:-1], word[-1] + "</w>"): count for word, count in words.items()}
    merges: list[tuple[str, str]] = []
    while len(merges) < limit:
        seen: Counter[tuple[str, str]] = Counter()
        for word, count in spelled.items():
            for pair in pairwise(word):
                seen[pair] += count
        if not seen:
            break
        best = min(seen, key=lambda pair: (-seen[pair], pair))
        if seen[best] < 2:
            break
        merges.append(best)
        spelled = {_merge(word, best): count for word, count in spelled.items()}
    return merges


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for piece in word:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)


def write(path: Path, corpus: Corpus = FIRST, limit: int = MERGES) -> None:
    """Write the merges in the format of open_clip's SimpleTokenizer, the same bytes every time."""
    captions = [c for mixture in corpus.mixtures for c in pairs(mixture, f"vocabulary/{mixture}", 6000, corpus)[1]]
    # the tokenizer skips the first line
    text = "\n".join(["#version: pocket", *(" ".join(pair) for pair in learn_merges(captions, limit))])
    buffer = io.BytesIO()
    # no time and no file name in the header, which would change the bytes
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as file:
        file.write(text.encode())
    path.write_bytes(buffer.getvalue())
