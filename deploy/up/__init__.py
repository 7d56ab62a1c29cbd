"""`livefuse up`: everything on one machine, in one process tree.

    broker (embedded, if none is configured) ── topics ── intake, workers, console ── ready ── simulator
                                                                 │
    watcher: asks the broker, as anybody could ──▶ screen: live table, plain lines, or JSON lines

With monitoring Prometheus, Alertmanager and Grafana run beside them, and a pager between workers and Alertmanager.

What `up` starts it ends, in the order simulator, intake, workers, pager, Alertmanager, broker, and the console beside
them; should it be killed, everything dies with it.
"""
