"""The desk: deposits held for cards (`ledger/sql/schema/0003_*.sql`)."""

from django.db import migrations

from onecard.datacenter.sqlfiles import run_schema_files


class Migration(migrations.Migration):
    dependencies = [("datacenter", "0002_chip")]
    operations = run_schema_files("0003_")
