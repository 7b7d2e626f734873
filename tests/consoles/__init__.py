"""Tests of the consoles: pages through Django's test client, and in a real browser."""
