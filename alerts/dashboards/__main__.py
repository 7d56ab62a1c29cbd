"""`python -m alerts.dashboards`: see `alerts.dashboards.generate`."""

import sys

from alerts.dashboards.generate import main

if __name__ == "__main__":
    sys.exit(main())
