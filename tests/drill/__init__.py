"""The drill: many jobs while everything around them fails. `python -m tests.drill --help`."""
