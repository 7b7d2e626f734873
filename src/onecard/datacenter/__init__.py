"""The data centre: PostgreSQL's life cycle, connections by role, migrations and backup."""
