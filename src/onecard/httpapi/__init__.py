"""REST by audience (docs/architecture.md): what the desktop workstation, integrations and vendors call."""
