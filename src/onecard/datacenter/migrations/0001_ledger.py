"""The ledger as of release 0.1.0: `ledger/sql/schema/0001_*.sql`."""

from django.db import migrations

from onecard.datacenter.sqlfiles import run_schema_files


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = run_schema_files("0001_")
