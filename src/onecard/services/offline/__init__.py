"""What front-ends and terminals need to decide without the line (G3): the deny list, each unit's rules and cards."""
