"""Jobs for a card in the place of another: purpose, old card, terms; one at a time for an old card."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("issuing", "0002_journal"),
        ("operators", "0002_triggers"),
        ("people", "0004_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="asked_serial",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="指定序号"),
        ),
        migrations.AddField(
            model_name="job",
            name="fee_from_purse",
            field=models.BooleanField(default=False, verbose_name="从钱包扣费"),
        ),
        migrations.AddField(
            model_name="job",
            name="fee_waived",
            field=models.BooleanField(default=False, verbose_name="免收费用"),
        ),
        migrations.AddField(
            model_name="job",
            name="old_card_no",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="原卡号"),
        ),
        migrations.AddField(
            model_name="job",
            name="purpose",
            field=models.CharField(
                choices=[("issue", "发卡"), ("replace", "补卡"), ("exchange", "换卡")],
                default="issue",
                max_length=8,
                verbose_name="用途",
            ),
        ),
        migrations.AddField(
            model_name="job",
            name="why",
            field=models.CharField(blank=True, default="", max_length=200, verbose_name="事由"),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                condition=models.Q(("old_card_no__isnull", False)), fields=["old_card_no", "-id"], name="issuing_job_by_old_card"
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(("purpose__in", ["issue", "replace", "exchange"])), name="issuing_job_purpose"
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("fee_from_purse", False), ("fee_waived", False), ("old_card_no__isnull", True), ("purpose", "issue")
                    ),
                    models.Q(
                        models.Q(("purpose", "issue"), _negated=True),
                        ("account_no__isnull", False),
                        ("old_card_no__isnull", False),
                        ("medium__in", (1, 2)),
                    ),
                    _connector="OR",
                ),
                name="issuing_job_old_card",
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("queued", "claimed", "writing", "verifying"))),
                fields=("old_card_no",),
                name="issuing_job_renewal",
            ),
        ),
        migrations.RunSQL((SQL / "renewal.sql").read_text(encoding="utf-8")),
    ]
