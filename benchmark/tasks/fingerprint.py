"""What decides a task: its fingerprint, for the ledger and for the pages."""

import hashlib
import json

from benchmark.tasks import sources
from benchmark.tasks.cards import Card


def task_fingerprint(card: Card) -> str:
    """Hash of what decides a task: classes, splits, prompts and where the images come from (not the dates of files)."""
    known = {"card": card.fingerprint(), "prompts": card.prompts(), "source": sources.source_of(card).version}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
