"""Admission: codes, refused attempts, leases, settings, sealed secrets; revoked lines stay revoked."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0002_triggers"),
        ("operators", "0002_triggers"),
    ]

    operations = [
        migrations.CreateModel(
            name="AdmissionSettings",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("gateway", models.CharField(blank=True, default="", max_length=260, verbose_name="登记地址")),
                ("renew_hours", models.PositiveIntegerField(default=6, verbose_name="租约续签间隔（小时）")),
                ("warn_hours", models.PositiveIntegerField(default=24, verbose_name="预警（小时）")),
                ("no_new_cards_hours", models.PositiveIntegerField(default=72, verbose_name="不接受新卡（小时）")),
                ("no_sales_hours", models.PositiveIntegerField(default=168, verbose_name="停止消费（小时）")),
                ("stop_hours", models.PositiveIntegerField(default=336, verbose_name="停止服务（小时）")),
                ("version", models.IntegerField(default=1, verbose_name="版本")),
            ],
            options={
                "verbose_name": "接入设置",
                "verbose_name_plural": "接入设置",
            },
        ),
        migrations.CreateModel(
            name="EnrolmentCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code_sha256", models.BinaryField(unique=True, verbose_name="代码摘要")),
                ("made_by", models.CharField(max_length=150, verbose_name="签发人")),
                ("made_at", models.DateTimeField(verbose_name="签发时间")),
                ("expires_at", models.DateTimeField(verbose_name="有效期止")),
                ("withdrawn_at", models.DateTimeField(null=True, verbose_name="作废时间")),
                ("used_at", models.DateTimeField(null=True, verbose_name="使用时间")),
                ("used_from", models.CharField(blank=True, default="", max_length=64, verbose_name="使用地址")),
                ("key_sha256", models.BinaryField(null=True, verbose_name="设备公钥摘要")),
                ("certificate", models.TextField(blank=True, default="", verbose_name="签发的证书")),
            ],
            options={
                "verbose_name": "登记码",
                "verbose_name_plural": "登记码",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="LeaseKey",
            fields=[
                ("public_sha256", models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="公钥摘要")),
                ("issuer_sha256", models.BinaryField(verbose_name="签发机构指纹")),
                ("certificate_der", models.BinaryField(verbose_name="证书")),
                ("not_after", models.DateTimeField(verbose_name="有效期止")),
            ],
            options={
                "verbose_name": "租约签名密钥",
                "verbose_name_plural": "租约签名密钥",
            },
        ),
        migrations.CreateModel(
            name="LineLease",
            fields=[
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="lease",
                        serialize=False,
                        to="devices.line",
                        verbose_name="线路",
                    ),
                ),
                ("serial", models.BigIntegerField(verbose_name="序号")),
                ("issued_at", models.DateTimeField(verbose_name="签发时间")),
                ("renew_at", models.DateTimeField(verbose_name="应续签时间")),
                ("until", models.DateTimeField(verbose_name="依据的有效期止")),
                ("terms", models.IntegerField(verbose_name="依据的设置版本")),
                ("lease", models.BinaryField(verbose_name="租约")),
                ("signature", models.BinaryField(verbose_name="签名")),
                ("certificate_der", models.BinaryField(verbose_name="签名证书")),
                ("told", models.BooleanField(default=False, verbose_name="已通知续签")),
            ],
            options={
                "verbose_name": "租约",
                "verbose_name_plural": "租约",
            },
        ),
        migrations.CreateModel(
            name="RefusedAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="日期")),
                ("address", models.CharField(max_length=64, verbose_name="地址")),
                ("reason", models.CharField(max_length=40, verbose_name="原因")),
                ("certificate_sha256", models.BinaryField(verbose_name="证书指纹")),
                ("certificate_der", models.BinaryField(verbose_name="证书")),
                ("subject", models.CharField(blank=True, default="", max_length=200, verbose_name="证书主体")),
                ("first_at", models.DateTimeField(verbose_name="首次")),
                ("last_at", models.DateTimeField(db_index=True, verbose_name="最近")),
                ("times", models.BigIntegerField(verbose_name="次数")),
            ],
            options={
                "verbose_name": "被拒接入",
                "verbose_name_plural": "被拒接入",
                "ordering": ("-last_at", "-id"),
            },
        ),
        migrations.CreateModel(
            name="SealedSecret",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="名称")),
                ("sealed", models.BinaryField(verbose_name="密文")),
                ("sealed_at", models.DateTimeField(verbose_name="封存时间")),
            ],
            options={
                "verbose_name": "封存的机密",
                "verbose_name_plural": "封存的机密",
            },
        ),
        migrations.AddField(
            model_name="line",
            name="replaces",
            field=models.OneToOneField(
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="replaced_by",
                to="devices.line",
                verbose_name="接替的线路",
            ),
        ),
        migrations.AddField(
            model_name="line",
            name="revoked_at",
            field=models.DateTimeField(editable=False, null=True, verbose_name="吊销时间"),
        ),
        migrations.AddField(
            model_name="terminal",
            name="certificate_sha256",
            field=models.BinaryField(null=True, verbose_name="证书指纹"),
        ),
        migrations.AddField(
            model_name="terminal",
            name="certificate_until",
            field=models.DateTimeField(editable=False, null=True, verbose_name="证书有效期止"),
        ),
        migrations.AddConstraint(
            model_name="terminal",
            constraint=models.UniqueConstraint(fields=("certificate_sha256",), name="terminal_certificate"),
        ),
        migrations.AddConstraint(
            model_name="admissionsettings",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="admission_settings_one"),
        ),
        migrations.AddConstraint(
            model_name="admissionsettings",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("renew_hours__gte", 1),
                    ("warn_hours__gt", models.F("renew_hours")),
                    ("no_new_cards_hours__gte", models.F("warn_hours")),
                    ("no_sales_hours__gte", models.F("no_new_cards_hours")),
                    ("stop_hours__gte", models.F("no_sales_hours")),
                    ("stop_hours__lte", 8784),
                ),
                name="admission_settings_order",
            ),
        ),
        migrations.AddField(
            model_name="enrolmentcode",
            name="line",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="codes",
                to="devices.line",
                verbose_name="线路",
            ),
        ),
        migrations.AddField(
            model_name="enrolmentcode",
            name="terminal",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="codes",
                to="devices.terminal",
                verbose_name="终端",
            ),
        ),
        migrations.AddConstraint(
            model_name="linelease",
            constraint=models.CheckConstraint(condition=models.Q(("serial__gte", 1)), name="line_lease_serial"),
        ),
        migrations.AddField(
            model_name="refusedattempt",
            name="line",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="refusals",
                to="devices.line",
                verbose_name="线路",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolmentcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("line__isnull", True), ("terminal__isnull", True), _connector="XOR"),
                name="enrolment_code_for_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolmentcode",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("certificate", ""), ("key_sha256__isnull", True), ("used_at__isnull", True)),
                    models.Q(
                        ("key_sha256__isnull", False),
                        ("used_at__isnull", False),
                        ("withdrawn_at__isnull", True),
                        models.Q(("certificate", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="enrolment_code_used",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolmentcode",
            constraint=models.UniqueConstraint(
                condition=models.Q(("used_at__isnull", True), ("withdrawn_at__isnull", True)),
                fields=("line",),
                name="enrolment_code_line_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="enrolmentcode",
            constraint=models.UniqueConstraint(
                condition=models.Q(("used_at__isnull", True), ("withdrawn_at__isnull", True)),
                fields=("terminal",),
                name="enrolment_code_terminal_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="refusedattempt",
            constraint=models.UniqueConstraint(
                fields=("day", "address", "reason", "certificate_sha256"), name="refused_attempt_alike"
            ),
        ),
        migrations.AddConstraint(
            model_name="refusedattempt",
            constraint=models.CheckConstraint(condition=models.Q(("times__gte", 1)), name="refused_attempt_times"),
        ),
        migrations.RunSQL((SQL / "admission.sql").read_text(encoding="utf-8")),
    ]
