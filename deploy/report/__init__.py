"""Post-mortems: what the fuse events of a period tell, as Markdown and as JSON.

`reading` takes the events from Kafka, `incident` is one opening of a fuse from beginning to end, `report` puts together
what belongs to a period, `page` writes it for people in the words of `words`, and `data` for programs.
"""
