"""What everybody is named only moves forward; what is in force already is named to everybody."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("rollouts", "0005_canary")]
    operations = [migrations.RunSQL((SQL / "canary.sql").read_text(encoding="utf-8"))]
