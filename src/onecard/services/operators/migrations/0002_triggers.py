"""Triggers: the limits, the rules over several rows, the ledger's copies and the notices."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("operators", "0001_initial"), ("datacenter", "0001_ledger")]
    operations = [
        migrations.RunSQL((SQL / name).read_text(encoding="utf-8"))
        for name in ("limits.sql", "rules.sql", "ledger.sql", "notify.sql")
    ]
