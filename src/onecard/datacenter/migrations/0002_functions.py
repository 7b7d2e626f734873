"""Which functions `onecard db migrate` made from the ledger's files, so that it can drop those no file has any more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("datacenter", "0001_ledger")]
    operations = [migrations.RunSQL("CREATE TABLE datacenter_function (signature text PRIMARY KEY)")]
