"""That a load was given back and written after all is one doubt for ever: settling it moves money."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chip", "0002_rules")]
    operations = [
        migrations.AddConstraint(
            model_name="loaddoubt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "given_back")), fields=("load",), name="chip_doubt_given_back_once"
            ),
        ),
    ]
