"""Triggers of roll-outs: two people, the order of states, what has ended stays ended."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0003_plans")]
    operations = [migrations.RunSQL((SQL / "plans.sql").read_text(encoding="utf-8"))]
