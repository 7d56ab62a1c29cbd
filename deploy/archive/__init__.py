"""Archives: rules, fuse state, fuse events and audit in one file, saved from one cluster and restored to another."""
