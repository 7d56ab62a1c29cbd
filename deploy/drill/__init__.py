"""Exercises: complaints about a product that does not exist, followed from Kafka to everybody who is told.

`exercise` is what is sent: which product, how many complaints, for which rule. `steps` are what has to happen, when it
did, and what to do where it did not. `ways` see that an Alertmanager or a channel has taken what it was told. `drill`
is the drill itself.
"""
