"""Unmanaged models only: the tables are the ledger's."""
