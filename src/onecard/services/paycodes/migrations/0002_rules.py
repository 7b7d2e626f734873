"""Default limits; uses and held payments that nobody changes."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("paycodes", "0001_initial")]
    operations = [migrations.RunSQL((SQL / "rules.sql").read_text(encoding="utf-8"))]
