"""Caps for the ledger, the tree of departments, and where the rows of a bulk load wait."""

from pathlib import Path

from django.db import migrations

from onecard.datacenter.sqlfiles import run_schema_files

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("people", "0003_grows"), ("datacenter", "0001_ledger")]
    operations = [
        *run_schema_files("0004_"),
        *(migrations.RunSQL((SQL / name).read_text(encoding="utf-8")) for name in ("organisation.sql", "caps.sql", "loads.sql")),
    ]
