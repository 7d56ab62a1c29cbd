"""The contract as code: records, rules, events, topics and errors. Imports nothing of ours and does no I/O."""
