"""One folder a protocol; each knows its own codec and session and none knows another. See base.py for what a driver is."""
