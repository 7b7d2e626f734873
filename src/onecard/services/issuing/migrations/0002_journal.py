"""Triggers: the journal only grows, a job's number stays, its states follow one another."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("issuing", "0001_initial")]
    operations = [migrations.RunSQL((SQL / name).read_text(encoding="utf-8")) for name in ("journal.sql",)]
