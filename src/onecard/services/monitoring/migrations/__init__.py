"""Migrations of the monitoring domain."""
