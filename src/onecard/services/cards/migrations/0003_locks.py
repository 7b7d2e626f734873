"""The function that locks stock levels ahead of the ledger's lane."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("cards", "0002_triggers")]
    operations = [migrations.RunSQL((SQL / "locks.sql").read_text(encoding="utf-8"))]
