"""Bytes to frozen values and back, and message cryptography: pure, no I/O, no Django. Imports the kernel only."""
