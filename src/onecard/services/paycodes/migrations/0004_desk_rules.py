"""Held payments end by two people: what was held before learns its terms, triggers, and the QR prefix in the ledger."""

from pathlib import Path

from django.db import migrations, models

from onecard.datacenter.sqlfiles import run_schema_files

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("paycodes", "0003_desk"),
        ("datacenter", "0001_ledger"),
        ("devices", "0002_triggers"),
        ("operators", "0002_triggers"),
    ]
    operations = [
        migrations.RunSQL((SQL / "terms.sql").read_text(encoding="utf-8")),
        migrations.AddConstraint(
            model_name="heldpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decision__isnull", True), ("settled_at__isnull", True), ("state", "open"), ("transfer_id__isnull", True)
                    ),
                    models.Q(
                        ("decision__isnull", False),
                        ("settled_at__isnull", False),
                        ("state", "posted"),
                        ("transfer_id__isnull", False),
                    ),
                    models.Q(
                        ("decision__isnull", False),
                        ("settled_at__isnull", False),
                        ("state", "refused"),
                        ("transfer_id__isnull", True),
                    ),
                    models.Q(
                        ("decision__isnull", True),
                        ("settled_at__isnull", False),
                        ("state", "noted"),
                        ("transfer_id__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="pay_code_held_settled",
            ),
        ),
        migrations.RunSQL((SQL / "desk.sql").read_text(encoding="utf-8")),
        *run_schema_files("0005_"),
    ]
