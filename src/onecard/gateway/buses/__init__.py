"""Serial buses: how the gateway reaches devices on RS-485, and a bus in software for trials."""
