"""Ceremonies, transcripts, requests of two people, and the stock of SAMs."""

import datetime
from pathlib import Path

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0002_triggers"),
        ("keys", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Ceremony",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("use", models.CharField(max_length=20, verbose_name="用途")),
                ("version", models.SmallIntegerField(null=True, verbose_name="版本")),
                ("algorithm", models.SmallIntegerField(verbose_name="算法")),
                ("threshold", models.SmallIntegerField(verbose_name="门限")),
                ("count", models.SmallIntegerField(verbose_name="人数")),
                ("expected_kcv", models.CharField(blank=True, default="", max_length=6, verbose_name="应得校验值")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "收集分量"),
                            ("handing_out", "发放其余分量"),
                            ("done", "已完成"),
                            ("aborted", "已中止"),
                        ],
                        default="open",
                        max_length=12,
                        verbose_name="状态",
                    ),
                ),
                ("kcv", models.CharField(blank=True, default="", max_length=6, verbose_name="校验值")),
                ("key_id", models.BigIntegerField(null=True, verbose_name="密钥")),
                ("opened_by", models.CharField(max_length=150, verbose_name="主持人")),
                ("opened_at", models.DateTimeField(verbose_name="开始时间")),
                ("closed_at", models.DateTimeField(null=True, verbose_name="结束时间")),
            ],
            options={
                "verbose_name": "密钥仪式",
                "verbose_name_plural": "密钥仪式",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="CeremonyComponent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.SmallIntegerField(verbose_name="编号")),
                ("custodian", models.CharField(max_length=150, verbose_name="保管人")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "待录入"), ("shown", "已出示，待确认"), ("held", "已录入"), ("wiped", "已清除")],
                        default="waiting",
                        max_length=8,
                        verbose_name="状态",
                    ),
                ),
                ("sealed", models.BinaryField(null=True)),
                ("check_value", models.CharField(blank=True, default="", max_length=6, verbose_name="校验值")),
                ("made_here", models.BooleanField(default=False, verbose_name="由平台生成")),
                ("at", models.DateTimeField(null=True, verbose_name="时间")),
            ],
            options={
                "verbose_name": "密钥分量",
                "verbose_name_plural": "密钥分量",
                "ordering": ("ceremony_id", "number"),
            },
        ),
        migrations.CreateModel(
            name="CeremonyEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("who", models.CharField(max_length=150, verbose_name="人员")),
                ("act", models.CharField(max_length=20, verbose_name="操作")),
                ("detail", models.CharField(blank=True, default="", max_length=200, verbose_name="说明")),
            ],
            options={
                "verbose_name": "仪式记录",
                "verbose_name_plural": "仪式记录",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="KeyRequest",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("activate", "启用密钥"),
                            ("destroy", "销毁密钥"),
                            ("export", "导出密钥"),
                            ("sam_unblock", "恢复 SAM"),
                        ],
                        max_length=12,
                        verbose_name="操作",
                    ),
                ),
                ("key_id", models.BigIntegerField(null=True, verbose_name="密钥")),
                ("sam_no", models.BigIntegerField(null=True, verbose_name="SAM 编号")),
                ("parameters", models.JSONField(default=dict, verbose_name="参数")),
                ("reason", models.CharField(max_length=200, verbose_name="事由")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "待批准"),
                            ("executed", "已批准并执行"),
                            ("refused", "已拒绝"),
                            ("withdrawn", "已撤回"),
                            ("expired", "已过期"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="状态",
                    ),
                ),
                ("requested_by", models.CharField(max_length=150, verbose_name="申请人")),
                ("requested_at", models.DateTimeField(verbose_name="申请时间")),
                ("expires_at", models.DateTimeField(verbose_name="有效期至")),
                ("decided_by", models.CharField(blank=True, default="", max_length=150, verbose_name="批准人")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="决定时间")),
                ("result", models.JSONField(default=dict, verbose_name="结果")),
            ],
            options={
                "verbose_name": "密钥双人操作",
                "verbose_name_plural": "密钥双人操作",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="Sam",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False, verbose_name="SAM 编号")),
                ("serial", models.CharField(max_length=20, null=True, unique=True, verbose_name="芯片序列号")),
                ("order_ref", models.CharField(max_length=40, verbose_name="订单号")),
                ("supplier", models.CharField(blank=True, default="", max_length=60, verbose_name="供应商")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ordered", "已订购"),
                            ("received", "已入库"),
                            ("personalised", "已个人化"),
                            ("bound", "已绑定"),
                            ("blocked", "已停用"),
                            ("scrapped", "已报废"),
                        ],
                        default="ordered",
                        max_length=12,
                        verbose_name="状态",
                    ),
                ),
                ("key_versions", models.JSONField(default=dict, verbose_name="密钥版本")),
                ("personalised_at", models.DateTimeField(null=True, verbose_name="个人化时间")),
                ("changed_at", models.DateTimeField(auto_now=True, verbose_name="变更时间")),
            ],
            options={
                "verbose_name": "SAM",
                "verbose_name_plural": "SAM",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="SamEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("who", models.CharField(max_length=310, verbose_name="人员")),
                ("act", models.CharField(max_length=20, verbose_name="操作")),
                ("detail", models.CharField(blank=True, default="", max_length=200, verbose_name="说明")),
            ],
            options={
                "verbose_name": "SAM 记录",
                "verbose_name_plural": "SAM 记录",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Transcript",
            fields=[
                (
                    "ceremony",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="transcript",
                        serialize=False,
                        to="keys.ceremony",
                    ),
                ),
                ("document", models.TextField(verbose_name="内容")),
                ("signature", models.BinaryField(verbose_name="签名")),
                ("public_key", models.BinaryField(verbose_name="验签公钥")),
            ],
            options={
                "verbose_name": "仪式记录书",
                "verbose_name_plural": "仪式记录书",
            },
        ),
        migrations.AddConstraint(
            model_name="ceremony",
            constraint=models.CheckConstraint(
                condition=models.Q(("count__lte", 15), ("threshold__gte", 2), ("threshold__lte", models.F("count"))),
                name="ceremony_scheme",
            ),
        ),
        migrations.AddConstraint(
            model_name="ceremony",
            constraint=models.CheckConstraint(
                condition=models.Q(("version__isnull", True), ("version__range", (1, 255)), _connector="OR"),
                name="ceremony_version",
            ),
        ),
        migrations.AddConstraint(
            model_name="ceremony",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "handing_out", "done", "aborted"])), name="ceremony_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="ceremony",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kcv", ""), ("key_id__isnull", True), ("state__in", ("open", "aborted"))),
                    models.Q(
                        ("key_id__isnull", False), ("state__in", ("handing_out", "done")), models.Q(("kcv", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="ceremony_result",
            ),
        ),
        migrations.AddConstraint(
            model_name="ceremony",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", True), ("state__in", ("open", "handing_out"))),
                    models.Q(("closed_at__isnull", False), ("state__in", ("done", "aborted"))),
                    _connector="OR",
                ),
                name="ceremony_closed",
            ),
        ),
        migrations.AddConstraint(
            model_name="ceremony",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")), fields=("use",), name="ceremony_one_open_per_use"
            ),
        ),
        migrations.AddField(
            model_name="ceremonycomponent",
            name="ceremony",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="components", to="keys.ceremony"
            ),
        ),
        migrations.AddField(
            model_name="ceremonyevent",
            name="ceremony",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="events", to="keys.ceremony"),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("action__in", ["activate", "destroy", "export", "sam_unblock"])), name="key_request_action"
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "executed", "refused", "withdrawn", "expired"])),
                name="key_request_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("action", "sam_unblock"), ("key_id__isnull", True), ("sam_no__isnull", False)),
                    models.Q(
                        models.Q(("action", "sam_unblock"), _negated=True), ("key_id__isnull", False), ("sam_no__isnull", True)
                    ),
                    _connector="OR",
                ),
                name="key_request_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("expires_at__gt", models.F("requested_at")),
                    (
                        "expires_at__lte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("requested_at"), "+", models.Value(datetime.timedelta(days=1))
                        ),
                    ),
                ),
                name="key_request_life",
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", False),
                        ("state__in", ("executed", "refused")),
                        models.Q(("decided_by", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("state__in", ("executed", "refused")), _negated=True),
                        ("decided_at__isnull", True),
                        ("decided_by", ""),
                    ),
                    _connector="OR",
                ),
                name="key_request_decided",
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.CheckConstraint(
                condition=django.db.models.expressions.NegatedExpression(
                    django.db.models.lookups.Exact(
                        django.db.models.functions.text.Lower("decided_by"), django.db.models.functions.text.Lower("requested_by")
                    )
                ),
                name="key_request_two_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("decided_at__isnull", True),
                    models.Q(("decided_at__gte", models.F("requested_at")), ("decided_at__lt", models.F("expires_at"))),
                    _connector="OR",
                ),
                name="key_request_in_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="keyrequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "waiting")),
                fields=("action", "key_id", "sam_no"),
                name="key_request_one_waiting",
                nulls_distinct=False,
            ),
        ),
        migrations.AddField(
            model_name="sam",
            name="terminal",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="devices.terminal",
                verbose_name="终端",
            ),
        ),
        migrations.AddField(
            model_name="samevent",
            name="sam",
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="events", to="keys.sam"),
        ),
        migrations.AddConstraint(
            model_name="ceremonycomponent",
            constraint=models.UniqueConstraint(fields=("ceremony", "number"), name="component_number"),
        ),
        migrations.AddConstraint(
            model_name="ceremonycomponent",
            constraint=models.UniqueConstraint(
                models.F("ceremony"), django.db.models.functions.text.Lower("custodian"), name="component_one_per_custodian"
            ),
        ),
        migrations.AddConstraint(
            model_name="ceremonycomponent",
            constraint=models.CheckConstraint(condition=models.Q(("number__range", (1, 15))), name="component_number_range"),
        ),
        migrations.AddConstraint(
            model_name="ceremonycomponent",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("sealed__isnull", False), ("state__in", ("shown", "held")), models.Q(("check_value", ""), _negated=True)
                    ),
                    models.Q(("sealed__isnull", True), ("state__in", ("waiting", "wiped"))),
                    _connector="OR",
                ),
                name="component_sealed_while_needed",
            ),
        ),
        migrations.AddIndex(
            model_name="sam",
            index=models.Index(fields=["state", "id"], name="sam_by_state"),
        ),
        migrations.AddConstraint(
            model_name="sam",
            constraint=models.CheckConstraint(condition=models.Q(("id__range", (1, 281474976710655))), name="sam_number"),
        ),
        migrations.AddConstraint(
            model_name="sam",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["ordered", "received", "personalised", "bound", "blocked", "scrapped"])),
                name="sam_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="sam",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("serial__isnull", True), ("state", "ordered")),
                    ("state", "scrapped"),
                    models.Q(models.Q(("state", "ordered"), _negated=True), ("serial__isnull", False)),
                    _connector="OR",
                ),
                name="sam_serial",
            ),
        ),
        migrations.AddConstraint(
            model_name="sam",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "bound"), ("terminal__isnull", False)),
                    ("state", "blocked"),
                    models.Q(models.Q(("state__in", ("bound", "blocked")), _negated=True), ("terminal__isnull", True)),
                    _connector="OR",
                ),
                name="sam_bound",
            ),
        ),
        migrations.AddConstraint(
            model_name="sam",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ("personalised", "bound")), _negated=True),
                    ("personalised_at__isnull", False),
                    _connector="OR",
                ),
                name="sam_personalised",
            ),
        ),
        *[migrations.RunSQL((SQL / name).read_text(encoding="utf-8")) for name in ("custody.sql", "sam_moves.sql", "sams.sql")],
    ]
