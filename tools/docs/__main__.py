"""python tools/docs: see `cli`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folder of the package `docs`

from docs.cli import main

if __name__ == "__main__":
    sys.exit(main())
