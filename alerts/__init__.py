"""Telling people: what reads the outputs. Never imports `streams`."""
