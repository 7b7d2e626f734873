"""Chips below zero: two people write off a sum that stays as it was proposed."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("chip", "0003_doubts_once"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="decision",
            name="chip_decision_subject",
        ),
        migrations.RemoveConstraint(
            model_name="decision",
            name="chip_decision_outcome",
        ),
        migrations.AddField(
            model_name="decision",
            name="amount_fen",
            field=models.BigIntegerField(null=True, verbose_name="金额（分）"),
        ),
        migrations.AlterField(
            model_name="decision",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("release", "放行入账"),
                    ("refuse", "拒绝"),
                    ("written", "认定已写卡"),
                    ("not_written", "认定未写卡，退款"),
                    ("charge", "再次向持卡人扣款"),
                    ("waive", "由运营单位承担"),
                    ("close", "关闭"),
                    ("write_off", "核销，由运营单位承担"),
                ],
                max_length=12,
                verbose_name="决定",
            ),
        ),
        migrations.AlterField(
            model_name="decision",
            name="subject",
            field=models.CharField(
                choices=[("record", "待处理记录"), ("doubt", "存疑圈存"), ("hole", "断号"), ("chip", "芯片账面为负")],
                max_length=6,
                verbose_name="对象",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(("subject__in", ["record", "doubt", "hole", "chip"])), name="chip_decision_subject"
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("outcome__in", ["release", "refuse", "written", "not_written", "charge", "waive", "close", "write_off"])
                ),
                name="chip_decision_outcome",
            ),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_fen__isnull", True), models.Q(("outcome", "write_off"), _negated=True)),
                    models.Q(("amount_fen__gt", 0), ("outcome", "write_off")),
                    _connector="OR",
                ),
                name="chip_decision_amount",
            ),
        ),
        migrations.RunSQL((SQL / "write_off.sql").read_text(encoding="utf-8")),
    ]
