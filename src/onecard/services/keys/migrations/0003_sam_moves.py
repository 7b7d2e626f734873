"""A blocked SAM comes back by two people only: the order of states as it is now, where 0002 made an earlier one."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("keys", "0002_custody")]

    operations = [migrations.RunSQL((SQL / "sam_moves.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop)]
