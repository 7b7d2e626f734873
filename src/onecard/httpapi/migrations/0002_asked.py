from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("httpapi", "0001_initial")]

    operations = [
        migrations.AddField("answered", "asked", models.JSONField(null=True)),
        migrations.AddField("answered", "operators", models.JSONField(null=True)),
    ]
