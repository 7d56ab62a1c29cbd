"""`python -m deploy.cli` is `livefuse`; so does `up` start its children, wherever the script was installed."""

from deploy.cli import main

main()
