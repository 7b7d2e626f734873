"""The figures to begin with, and what tells that a unit's files have to be made anew."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("offline", "0001_initial"), ("datacenter", "0004_lists")]
    operations = [migrations.RunSQL((SQL / "signals.sql").read_text(encoding="utf-8"))]
