"""The worker: frames of ``livefuse.signals`` in, fuse events out, exactly once."""
