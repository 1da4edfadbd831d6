"""Tasks: cards, and the sources that their images come from."""
