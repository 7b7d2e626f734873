"""The key tree, the log of uses, and the triggers that hold both."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="KeyCount",
            fields=[
                ("key_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("count", models.BigIntegerField(verbose_name="次数")),
                ("last_at", models.DateTimeField(verbose_name="最近使用")),
            ],
            options={
                "verbose_name": "密钥使用次数",
                "verbose_name_plural": "密钥使用次数",
            },
        ),
        migrations.CreateModel(
            name="AlarmRule",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("per_hour", models.IntegerField(default=20000, verbose_name="每小时上限")),
                ("times_mean", models.IntegerField(default=10, verbose_name="七日均值的倍数")),
                ("least", models.IntegerField(default=500, verbose_name="均值规则的最低次数")),
                ("wrong_per_hour", models.IntegerField(default=20, verbose_name="每小时不符上限")),
            ],
            options={
                "verbose_name": "密钥使用告警规则",
                "verbose_name_plural": "密钥使用告警规则",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="alarm_rule_only_one"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("least__gte", 0), ("per_hour__gte", 0), ("times_mean__gte", 0), ("wrong_per_hour__gte", 0)
                        ),
                        name="alarm_rule_values",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="KeySet",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("code", models.CharField(max_length=20, unique=True, verbose_name="代码")),
                ("name", models.CharField(max_length=50, verbose_name="名称")),
                ("levels", models.SmallIntegerField(default=2, verbose_name="分散级数")),
                (
                    "algorithm",
                    models.SmallIntegerField(default=0, verbose_name="新卡算法"),
                ),
            ],
            options={
                "verbose_name": "密钥组",
                "verbose_name_plural": "密钥组",
                "ordering": ("id",),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("levels__in", (1, 2))), name="key_set_levels"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "algorithm__in",
                                (0, 4),
                            )
                        ),
                        name="key_set_algorithm",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SamHour",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("sam_no", models.BigIntegerField(verbose_name="SAM 编号")),
                ("hour", models.DateTimeField(verbose_name="小时")),
                ("count", models.BigIntegerField(verbose_name="次数")),
                ("failed", models.BigIntegerField(default=0, verbose_name="不符次数")),
            ],
            options={
                "verbose_name": "SAM 使用次数",
                "verbose_name_plural": "SAM 使用次数",
                "indexes": [models.Index(fields=["hour"], name="sam_hour_hour")],
                "constraints": [models.UniqueConstraint(fields=("sam_no", "hour"), name="sam_hour_once")],
            },
        ),
        migrations.CreateModel(
            name="Usage",
            fields=[
                ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("actor", models.CharField(max_length=310, verbose_name="操作者")),
                ("operation", models.CharField(max_length=24, verbose_name="操作")),
                ("subject", models.CharField(blank=True, default="", max_length=100, verbose_name="对象")),
                ("keys", models.TextField(blank=True, default="", verbose_name="密钥")),
                ("count", models.IntegerField(verbose_name="次数")),
                ("failed", models.IntegerField(default=0, verbose_name="不符次数")),
                ("prev_hash", models.BinaryField(verbose_name="上一散列")),
                ("hash", models.BinaryField(verbose_name="散列")),
            ],
            options={
                "verbose_name": "密钥使用记录",
                "verbose_name_plural": "密钥使用记录",
                "ordering": ("seq",),
                "indexes": [models.Index(fields=["at"], name="usage_at")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("count__gte", 0), ("failed__gte", 0)), name="usage_counts")
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageAlarm",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("sam_no", models.BigIntegerField(verbose_name="SAM 编号")),
                ("hour", models.DateTimeField(verbose_name="小时")),
                (
                    "kind",
                    models.CharField(
                        choices=[("hourly", "超过每小时上限"), ("unusual", "远高于自身七日均值"), ("wrong", "校验不符过多")],
                        max_length=10,
                        verbose_name="类型",
                    ),
                ),
                ("count", models.BigIntegerField(verbose_name="次数")),
                ("allowed", models.BigIntegerField(verbose_name="阈值")),
                ("raised_at", models.DateTimeField(verbose_name="告警时间")),
                ("acknowledged_at", models.DateTimeField(null=True, verbose_name="确认时间")),
                ("acknowledged_by", models.CharField(blank=True, default="", max_length=150, verbose_name="确认人")),
            ],
            options={
                "verbose_name": "密钥使用告警",
                "verbose_name_plural": "密钥使用告警",
                "ordering": ("-id",),
                "constraints": [
                    models.UniqueConstraint(fields=("sam_no", "hour", "kind"), name="usage_alarm_once"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["hourly", "unusual", "wrong"])), name="usage_alarm_kind"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("acknowledged_at__isnull", True), ("acknowledged_by", "")),
                            models.Q(("acknowledged_at__isnull", False), models.Q(("acknowledged_by", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="usage_alarm_acknowledged",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageHead",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField(default=0)),
                ("hash", models.BinaryField()),
            ],
            options={
                "verbose_name": "使用记录链首",
                "verbose_name_plural": "使用记录链首",
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="usage_head_only_one")],
            },
        ),
        migrations.CreateModel(
            name="VaultHeader",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("uid", models.UUIDField(verbose_name="编号")),
                ("keeper", models.CharField(max_length=10, verbose_name="保管方式")),
                ("demonstration", models.BooleanField(default=False, verbose_name="仅供演示")),
                ("salt", models.BinaryField(default=b"")),
                ("time_cost", models.IntegerField(default=0)),
                ("memory_kib", models.IntegerField(default=0)),
                ("lanes", models.IntegerField(default=0)),
                ("wrapped", models.BinaryField(default=b"")),
                ("token", models.CharField(blank=True, default="", max_length=64, verbose_name="令牌")),
                ("tree_stamp", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField(verbose_name="建立时间")),
                ("rewrapped_at", models.DateTimeField(null=True, verbose_name="口令更换时间")),
            ],
            options={
                "verbose_name": "密钥保管库",
                "verbose_name_plural": "密钥保管库",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="vault_only_one"),
                    models.CheckConstraint(condition=models.Q(("keeper__in", ("software", "pkcs11"))), name="vault_keeper"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Key",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("use", models.CharField(max_length=20, verbose_name="用途")),
                ("algorithm", models.SmallIntegerField(verbose_name="算法")),
                ("level", models.SmallIntegerField(verbose_name="层级")),
                ("owner", models.IntegerField(default=0, verbose_name="所属")),
                ("version", models.SmallIntegerField(verbose_name="版本")),
                ("index", models.SmallIntegerField(default=1, verbose_name="索引")),
                ("factor", models.BinaryField(null=True, verbose_name="分散因子")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "待启用"),
                            ("active", "使用中"),
                            ("retiring", "过渡期"),
                            ("retired", "已停用"),
                            ("destroyed", "已销毁"),
                        ],
                        default="pending",
                        max_length=10,
                        verbose_name="状态",
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("generated", "保管库内生成"), ("ceremony", "密钥仪式合成"), ("derived", "由上级密钥分散")],
                        max_length=10,
                        verbose_name="来源",
                    ),
                ),
                ("exportable", models.BooleanField(default=False, verbose_name="可加密导出")),
                ("kcv", models.BinaryField(verbose_name="校验值")),
                ("public", models.BinaryField(null=True, verbose_name="公钥")),
                ("blob", models.BinaryField(null=True)),
                ("object_id", models.CharField(blank=True, default="", max_length=64, verbose_name="令牌对象")),
                ("created_at", models.DateTimeField(verbose_name="生成时间")),
                ("activated_at", models.DateTimeField(null=True, verbose_name="启用时间")),
                ("retiring_until", models.DateTimeField(null=True, verbose_name="过渡期至")),
                ("retired_at", models.DateTimeField(null=True, verbose_name="停用时间")),
                ("destroyed_at", models.DateTimeField(null=True, verbose_name="销毁时间")),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="children",
                        to="keys.key",
                        verbose_name="上级密钥",
                    ),
                ),
                (
                    "key_set",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="keys", to="keys.keyset", verbose_name="密钥组"
                    ),
                ),
            ],
            options={
                "verbose_name": "密钥",
                "verbose_name_plural": "密钥",
                "ordering": ("key_set_id", "use", "algorithm", "level", "owner", "version"),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("key_set", "use", "algorithm", "level", "owner", "version"), name="key_version_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")),
                        fields=("key_set", "use", "algorithm", "level", "owner"),
                        name="key_one_active",
                    ),
                    models.CheckConstraint(condition=models.Q(("version__range", (1, 255))), name="key_version_range"),
                    models.CheckConstraint(condition=models.Q(("index__range", (0, 255))), name="key_index_range"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "use__in",
                                [
                                    "purchase",
                                    "load",
                                    "tac",
                                    "unload",
                                    "overdraft",
                                    "card_control",
                                    "card_maintenance",
                                    "app_control",
                                    "app_maintenance",
                                    "pin_unblock",
                                    "pin_reload",
                                    "block",
                                    "transport",
                                    "sam_control",
                                    "export",
                                    "pay_code",
                                ],
                            )
                        ),
                        name="key_use",
                    ),
                    models.CheckConstraint(condition=models.Q(("algorithm__in", [0, 4, 32])), name="key_algorithm"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "active", "retiring", "retired", "destroyed"])),
                        name="key_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("level", 1), ("owner", 0), ("parent__isnull", True)),
                            models.Q(
                                (
                                    "level__in",
                                    (
                                        2,
                                        3,
                                    ),
                                ),
                                ("owner__gt", 0),
                            ),
                            _connector="OR",
                        ),
                        name="key_level",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("factor__isnull", False), ("origin", "derived"), ("parent__isnull", False)),
                            models.Q(
                                models.Q(("origin", "derived"), _negated=True), ("factor__isnull", True), ("parent__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="key_derived",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("blob__isnull", True), ("object_id", ""), ("origin", "derived")),
                            models.Q(("blob__isnull", True), ("object_id", ""), ("state", "destroyed")),
                            models.Q(models.Q(("state", "destroyed"), _negated=True), ("blob__isnull", False), ("object_id", "")),
                            models.Q(
                                models.Q(("state", "destroyed"), _negated=True),
                                ("blob__isnull", True),
                                models.Q(("object_id", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="key_material",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "retiring"), _negated=True), ("retiring_until__isnull", False), _connector="OR"
                        ),
                        name="key_overlap",
                    ),
                ],
            },
        ),
        *[migrations.RunSQL((SQL / name).read_text(encoding="utf-8")) for name in ("tree.sql", "usage.sql")],
    ]
