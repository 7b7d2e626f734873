"""Triggers: what was kept is never lost, what two people decide rests on two people."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("chip", "0001_initial"), ("datacenter", "0002_chip")]
    operations = [migrations.RunSQL((SQL / name).read_text(encoding="utf-8")) for name in ("rules.sql",)]
