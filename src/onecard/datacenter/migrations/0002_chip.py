"""The shadow accounts of chip purses: `ledger/sql/schema/0002_*.sql`."""

from django.db import migrations

from onecard.datacenter.sqlfiles import run_schema_files


class Migration(migrations.Migration):
    dependencies = [("datacenter", "0002_functions")]
    operations = run_schema_files("0002_")
