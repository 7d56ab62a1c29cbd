"""Benchmarks: `make bench`, or `python -m tests.bench --help`. The figures and how to read them: docs/benchmarks.md."""
