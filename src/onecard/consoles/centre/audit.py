"""The audit log (django-auditlog): which tables it watches, and rows for acts that are no change of one table's row."""


def watch_models() -> None:
    """Register the tables whose every change leaves a row."""
