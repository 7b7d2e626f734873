"""Cards as things with a life (C1, C3, C5): card types' rules, stock between places, the life cycle and its money."""
