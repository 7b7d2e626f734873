"""Signals of what front-ends have to be told (`ledger/sql/schema/0006_*.sql`)."""

from django.db import migrations

from onecard.datacenter.sqlfiles import run_schema_files


class Migration(migrations.Migration):
    dependencies = [("datacenter", "0003_desk")]
    operations = run_schema_files("0006_")
