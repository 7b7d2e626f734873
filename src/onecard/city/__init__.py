"""The demonstration city: everything that only simulates, and what runs a whole city on one machine."""
