"""The ledger's tables as Django knows them; nothing is made."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("account_no", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="账号")),
                ("holder_id", models.BigIntegerField(null=True, verbose_name="持卡人")),
                ("operator_id", models.IntegerField(verbose_name="运营单位")),
                ("unit_id", models.IntegerField(verbose_name="接入单位")),
                ("card_type_id", models.IntegerField(verbose_name="卡种")),
                ("lane", models.SmallIntegerField()),
                ("status", models.SmallIntegerField(choices=[(1, "active"), (2, "frozen"), (3, "closed")], verbose_name="状态")),
                ("debt_fen", models.BigIntegerField(verbose_name="欠款（分）")),
                ("opened_at", models.DateTimeField(verbose_name="开户时间")),
            ],
            options={
                "db_table": '"ledger"."account"',
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="BookAccount",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="科目")),
                ("kind", models.SmallIntegerField(verbose_name="类别")),
                ("ref_id", models.BigIntegerField(verbose_name="编号")),
                ("name", models.TextField(verbose_name="名称")),
            ],
            options={
                "db_table": '"ledger"."book_account"',
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Card",
            fields=[
                ("card_no", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="卡号")),
                (
                    "status",
                    models.SmallIntegerField(
                        choices=[(0, "stock"), (1, "active"), (2, "lost"), (3, "frozen"), (4, "expired"), (5, "returned")],
                        verbose_name="状态",
                    ),
                ),
                (
                    "medium",
                    models.SmallIntegerField(choices=[(1, "CPU"), (2, "SIM"), (3, "QR"), (4, "UID")], verbose_name="介质"),
                ),
                ("denied", models.BooleanField(verbose_name="黑名单")),
                ("valid_until", models.DateField(null=True, verbose_name="有效期至")),
            ],
            options={
                "db_table": '"ledger"."card"',
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Purse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "account_id", "unit_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("unit_id", models.IntegerField(verbose_name="接入单位")),
                ("balance_fen", models.BigIntegerField(verbose_name="余额（分）")),
                ("floor_fen", models.BigIntegerField(verbose_name="下限（分）")),
                ("seq", models.BigIntegerField(verbose_name="流水数")),
                ("last_transfer_id", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": '"ledger"."purse"',
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Transfer",
            fields=[
                ("pk", models.CompositePrimaryKey("lane", "id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("lane", models.SmallIntegerField()),
                ("id", models.BigIntegerField(verbose_name="流水号")),
                (
                    "kind",
                    models.SmallIntegerField(
                        choices=[
                            (1, "消费"),
                            (2, "脱机消费"),
                            (3, "充值"),
                            (4, "预授权"),
                            (5, "预授权完成"),
                            (6, "预授权撤销"),
                            (7, "撤销"),
                            (8, "退货"),
                            (9, "冲正"),
                            (10, "欠款"),
                            (11, "归还欠款"),
                            (12, "开户余额"),
                            (20, "手续费"),
                            (21, "结算"),
                            (22, "付款"),
                            (23, "轧差"),
                        ],
                        verbose_name="类型",
                    ),
                ),
                ("debit", models.BigIntegerField(verbose_name="借方")),
                ("credit", models.BigIntegerField(verbose_name="贷方")),
                ("amount_fen", models.BigIntegerField(verbose_name="金额（分）")),
                ("balance_after", models.BigIntegerField(null=True, verbose_name="余额（分）")),
                ("prev_id", models.BigIntegerField(null=True)),
                ("terminal_id", models.BigIntegerField(verbose_name="终端")),
                ("terminal_seq", models.BigIntegerField(verbose_name="终端流水号")),
                ("card_no", models.BigIntegerField(null=True, verbose_name="卡号")),
                ("account_no", models.BigIntegerField(null=True, verbose_name="账号")),
                ("link_id", models.BigIntegerField(null=True)),
                ("orig_id", models.BigIntegerField(null=True, verbose_name="原流水")),
                ("issuer_operator", models.IntegerField(null=True, verbose_name="发卡运营单位")),
                ("business_date", models.DateField(verbose_name="营业日")),
                ("occurred_at", models.DateTimeField(verbose_name="交易时间")),
                ("batch_no", models.BigIntegerField()),
            ],
            options={
                "db_table": '"ledger"."transfer"',
                "managed": False,
            },
        ),
    ]
