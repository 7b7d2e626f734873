"""OSDP v2 readers on RS-485 (libosdp), with secure channel."""
