"""The pager: reads fuse events and fuse states, and tells people through Alertmanager and channels."""
