"""The commands, one module each.

A command module has HELP (one sentence), EXAMPLES (arguments, as a user types them), `add_arguments(parser)`, and `run(args)`, which
prints the result to stdout. Importing one imports nothing heavy: `python -m benchmark --help` imports all of them.
"""
