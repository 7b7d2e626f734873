"""The application server: takes batches of records from gateways, decides what the directory can decide, and has the rest posted."""
