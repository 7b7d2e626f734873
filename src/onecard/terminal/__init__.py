"""What runs at a terminal: clients of both protocols with a durable journal, and cheap message making for load generators."""
