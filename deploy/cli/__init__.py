"""The command line `livefuse`: `main` runs it. One file for each group of commands, none of which imports what it does not need."""

from deploy.cli.program import app, main

__all__ = ["app", "main"]
