"""What livefuse stands on: its licences, and its known weaknesses. For `make lint`."""
