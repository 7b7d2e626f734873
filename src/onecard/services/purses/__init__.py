"""Accounts, cards and purses as the pages and neighbours see them (P1, C3): reading, and changes of standing."""
