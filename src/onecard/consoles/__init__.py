"""What people look at in a browser: pages only, every rule stays in services."""
