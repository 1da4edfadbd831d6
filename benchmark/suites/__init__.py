"""Suites: models, tasks, techniques and seeds, each declared in one TOML file."""
