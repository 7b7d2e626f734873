"""The parameters that the house's own terminals read."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("devices", "0004_registry")]

    operations = [
        migrations.RunSQL((SQL / "parameters.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
