"""Forgetting an order or a complaint: where its id still stands, what can be deleted, and how long the rest lives."""
