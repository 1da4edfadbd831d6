"""The fingerprint of a task, which the ledger and the result pages record."""

import hashlib
import json

from benchmark.tasks import sources
from benchmark.tasks.cards import Card


def task_fingerprint(card: Card) -> str:
    """First 16 hexadecimal digits of the SHA-256 of all that decides a task: classes, splits, prompts and source.

    File dates and sizes are not part of it, so that a copy of the data has the same fingerprint.
    """
    # the version changes when code rather than files decides the images, as for drawn ones
    parts = {"card": card.fingerprint(), "prompts": card.prompts(), "source": sources.source_of(card).version}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
