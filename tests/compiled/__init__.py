"""The compiled modules against the plain ones: run by `make wheel`, on the wheel that it has built."""
