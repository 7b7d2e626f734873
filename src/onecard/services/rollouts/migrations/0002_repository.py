"""Triggers of the repository: what is signed never changes, versions only grow."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0001_initial"), ("devices", "0001_initial")]
    operations = [migrations.RunSQL((SQL / "repository.sql").read_text(encoding="utf-8"))]
