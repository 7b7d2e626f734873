"""The application server: takes batches of records from gateways, decides what the directory can, has the rest posted."""
