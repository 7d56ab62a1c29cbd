"""Composition and operation: settings, the command line, the embedded broker, the simulator."""
