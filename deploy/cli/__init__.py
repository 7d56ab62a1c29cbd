"""The command line `livefuse`. One file for each group of commands; they import what they need when they run."""

from deploy.cli.program import app, main

__all__ = ["app", "main"]
