"""The services that the pager speaks to, one file each. What they have in common is in `alerts/pager/channel.py`."""
