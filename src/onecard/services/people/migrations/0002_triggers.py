"""Triggers: the cardholder cap."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial"), ("operators", "0002_triggers")]
    operations = [migrations.RunSQL((SQL / name).read_text(encoding="utf-8")) for name in ("limits.sql",)]
