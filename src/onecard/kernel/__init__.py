"""The kernel: money, numbers, clock, business day, result codes and the error base. Standard library only."""
