"""REST for the desktop workstation: one module a part of the work, each with its schemas and operations."""
