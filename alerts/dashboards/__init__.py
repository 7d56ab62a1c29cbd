"""Grafana dashboards, built by code from one source in every language: `make generate` writes them to `generated/`.

Nothing of the product imports this package: the builders come from a library of the development environment alone.
Whoever provisions Grafana takes the committed files of `generated/<language>`.

    room       the operations room: what is paused and why, what is near a limit, how the sale goes
    product    one product in depth: measured against limit, stock, fuses
    livefuse   livefuse itself: throughput, lag, latency, errors, lanes, telling people, processes
"""
