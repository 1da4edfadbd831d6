"""The generated parts of the documentation; see `cli`."""
