"""The pure engine: facts and a rule set in, fuse events out. No I/O, no clock of its own."""
