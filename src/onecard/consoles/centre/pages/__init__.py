"""Pages of the centre that are not lists of one table."""
