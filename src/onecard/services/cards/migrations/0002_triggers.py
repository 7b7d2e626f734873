"""What the tables' constraints cannot say alone: stock by functions, rules that stand, number sequences, the deposit book."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("cards", "0001_initial"), ("operators", "0002_triggers"), ("datacenter", "0001_ledger")]
    operations = [
        migrations.RunSQL((SQL / name).read_text(encoding="utf-8"))
        for name in ("stock.sql", "rules.sql", "numbers.sql", "books.sql")
    ]
