"""The tables of settlement, the view of merchant lines, and the lock of the day cut."""

import datetime
from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("datacenter", "0001_ledger"),
        ("operators", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Calendar",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("cut_time", models.TimeField(default=datetime.time(0, 0), verbose_name="日切时间")),
                ("open_date", models.DateField(verbose_name="当前营业日")),
            ],
            options={
                "verbose_name": "营业日历",
                "verbose_name_plural": "营业日历",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="settlement_calendar_one_row")],
            },
        ),
        migrations.CreateModel(
            name="FeeShare",
            fields=[
                (
                    "operator",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="operators.operator",
                    ),
                ),
                ("per_mille", models.PositiveSmallIntegerField(verbose_name="分成千分比")),
            ],
            options={
                "verbose_name": "手续费分成",
                "verbose_name_plural": "手续费分成",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("per_mille__lte", 1000)), name="settlement_fee_share_per_mille")
                ],
            },
        ),
        migrations.CreateModel(
            name="SettlementRun",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False, verbose_name="批次号")),
                ("business_date", models.DateField(verbose_name="营业日")),
                ("part_no", models.PositiveIntegerField(verbose_name="场次")),
                ("automatic", models.BooleanField(default=False, verbose_name="自动日切")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("cut", "已日切"),
                            ("cleared", "已清分"),
                            ("settled", "已结算"),
                            ("balanced", "已平账"),
                            ("unbalanced", "不平"),
                        ],
                        default="cut",
                        max_length=10,
                        verbose_name="状态",
                    ),
                ),
                ("cut_at", models.DateTimeField(verbose_name="日切时刻")),
                ("cleared_at", models.DateTimeField(null=True, verbose_name="清分时刻")),
                ("settled_at", models.DateTimeField(null=True, verbose_name="结算时刻")),
                ("checked_at", models.DateTimeField(null=True, verbose_name="核对时刻")),
                ("transfer_count", models.BigIntegerField(default=0, verbose_name="流水笔数")),
                ("gross_fen", models.BigIntegerField(default=0, verbose_name="清分金额（分）")),
                ("fee_fen", models.BigIntegerField(default=0, verbose_name="手续费（分）")),
                ("failure", models.TextField(blank=True, default="", verbose_name="首个不平处")),
            ],
            options={
                "verbose_name": "结算批次",
                "verbose_name_plural": "结算批次",
                "ordering": ("-id",),
                "constraints": [models.UniqueConstraint(fields=("business_date", "part_no"), name="settlement_run_part")],
            },
        ),
        migrations.CreateModel(
            name="Posting",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line_no", models.IntegerField()),
                ("kind", models.SmallIntegerField()),
                ("debit", models.BigIntegerField()),
                ("credit", models.BigIntegerField()),
                ("amount_fen", models.BigIntegerField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="postings", to="settlement.settlementrun"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("run", "line_no"), name="settlement_posting_line")],
            },
        ),
        migrations.CreateModel(
            name="Party",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "level",
                    models.SmallIntegerField(choices=[(1, "终端"), (2, "商户"), (3, "单位"), (4, "运营单位"), (5, "平台")]),
                ),
                ("party_id", models.BigIntegerField()),
                ("unit_id", models.BigIntegerField(default=0)),
                ("operator_id", models.IntegerField()),
                ("code", models.TextField(default="")),
                ("name", models.TextField()),
                ("independent", models.BooleanField(default=False)),
                ("root", models.BooleanField(default=False)),
                ("fee_per_mille", models.IntegerField(default=0)),
                ("fee_per_item_fen", models.IntegerField(default=0)),
                ("share_per_mille", models.SmallIntegerField(default=0)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parties", to="settlement.settlementrun"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("run", "level", "party_id"), name="settlement_party_once")],
            },
        ),
        migrations.CreateModel(
            name="NettingLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("debtor_id", models.IntegerField()),
                ("creditor_id", models.IntegerField()),
                ("basis", models.CharField(choices=[("purchases", "持卡人消费"), ("fees", "平台手续费")], max_length=10)),
                ("transaction_count", models.BigIntegerField()),
                ("amount_fen", models.BigIntegerField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="netting", to="settlement.settlementrun"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("run", "debtor_id", "creditor_id", "basis"), name="settlement_netting_pair")
                ],
            },
        ),
        migrations.CreateModel(
            name="MerchantSettlement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("merchant_id", models.BigIntegerField()),
                ("unit_id", models.BigIntegerField()),
                ("operator_id", models.IntegerField()),
                ("gross_fen", models.BigIntegerField()),
                ("platform_fen", models.BigIntegerField()),
                ("retained_fen", models.BigIntegerField()),
                ("item_count", models.BigIntegerField()),
                ("carry_in_millifen", models.SmallIntegerField()),
                ("fee_fen", models.BigIntegerField()),
                ("carry_out_millifen", models.SmallIntegerField()),
                ("operator_fee_fen", models.BigIntegerField()),
                ("root_fee_fen", models.BigIntegerField()),
                ("net_fen", models.BigIntegerField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="merchants", to="settlement.settlementrun"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("merchant_id", "run"), name="settlement_merchant_run"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "gross_fen",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("platform_fen"), "+", models.F("retained_fen")
                                ),
                            ),
                            (
                                "platform_fen",
                                django.db.models.expressions.CombinedExpression(models.F("fee_fen"), "+", models.F("net_fen")),
                            ),
                            (
                                "fee_fen",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("operator_fee_fen"), "+", models.F("root_fee_fen")
                                ),
                            ),
                        ),
                        name="settlement_merchant_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ClearingLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("lane", models.SmallIntegerField()),
                ("terminal_id", models.BigIntegerField()),
                ("merchant_id", models.BigIntegerField()),
                ("issuer_operator", models.IntegerField()),
                ("kind", models.SmallIntegerField()),
                ("business_date", models.DateField()),
                ("debit_kind", models.SmallIntegerField()),
                ("credit_kind", models.SmallIntegerField()),
                ("private", models.BooleanField()),
                ("transfer_count", models.BigIntegerField()),
                ("transaction_count", models.BigIntegerField()),
                ("zero_count", models.BigIntegerField()),
                ("item_count", models.BigIntegerField()),
                ("amount_fen", models.BigIntegerField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lines", to="settlement.settlementrun"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["run", "merchant_id"], name="settlement_line_merchant")],
            },
        ),
        migrations.CreateModel(
            name="SettlementWindow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("lane", models.SmallIntegerField()),
                ("from_id", models.BigIntegerField()),
                ("through_id", models.BigIntegerField()),
                ("cleared", models.BooleanField(default=False)),
                ("transfer_count", models.BigIntegerField(default=0)),
                ("amount_fen", models.BigIntegerField(default=0)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="windows", to="settlement.settlementrun"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["lane", "through_id"], name="settlement_window_through")],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "lane"), name="settlement_window_lane"),
                    models.CheckConstraint(
                        condition=models.Q(("through_id__gte", models.F("from_id"))), name="settlement_window_forward"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SheetRow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "level",
                    models.SmallIntegerField(choices=[(1, "终端"), (2, "商户"), (3, "单位"), (4, "运营单位"), (5, "平台")]),
                ),
                ("party_id", models.BigIntegerField()),
                ("parent_id", models.BigIntegerField()),
                ("name", models.TextField(default="")),
                ("business_date", models.DateField(null=True)),
                ("transaction_count", models.BigIntegerField(default=0)),
                ("zero_count", models.BigIntegerField(default=0)),
                ("purchase_count", models.BigIntegerField(default=0)),
                ("purchase_fen", models.BigIntegerField(default=0)),
                ("advice_count", models.BigIntegerField(default=0)),
                ("advice_fen", models.BigIntegerField(default=0)),
                ("debt_fen", models.BigIntegerField(default=0)),
                ("void_count", models.BigIntegerField(default=0)),
                ("void_fen", models.BigIntegerField(default=0)),
                ("refund_count", models.BigIntegerField(default=0)),
                ("refund_fen", models.BigIntegerField(default=0)),
                ("reversal_count", models.BigIntegerField(default=0)),
                ("reversal_fen", models.BigIntegerField(default=0)),
                ("gross_fen", models.BigIntegerField(default=0)),
                ("retained_fen", models.BigIntegerField(default=0)),
                ("fee_fen", models.BigIntegerField(default=0)),
                ("net_fen", models.BigIntegerField(default=0)),
                ("operator_fee_fen", models.BigIntegerField(default=0)),
                ("root_fee_fen", models.BigIntegerField(default=0)),
                ("topup_count", models.BigIntegerField(default=0)),
                ("topup_fen", models.BigIntegerField(default=0)),
                ("debt_made_fen", models.BigIntegerField(default=0)),
                ("debt_repaid_fen", models.BigIntegerField(default=0)),
                ("receivable_fen", models.BigIntegerField(default=0)),
                ("payable_fen", models.BigIntegerField(default=0)),
                ("position_fen", models.BigIntegerField(default=0)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="sheet_rows", to="settlement.settlementrun"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("run", "level", "parent_id", "party_id", "business_date"),
                        name="settlement_sheet_row",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.RunSQL((SQL / "views.sql").read_text(encoding="utf-8")),
        migrations.RunSQL((SQL / "lock_lanes.sql").read_text(encoding="utf-8")),
    ]
