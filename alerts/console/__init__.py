"""The live console: one page on which a show is watched, and products are paused and resumed within seconds."""
