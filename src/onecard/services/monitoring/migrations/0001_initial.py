"""Tables of the live figures; unlogged, because a chart is all that is lost with them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="LiveFigure",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("server", models.CharField(max_length=100, verbose_name="应用服务器")),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("interval_ms", models.IntegerField(verbose_name="时段（毫秒）")),
                ("purchases", models.BigIntegerField(verbose_name="联机消费笔数")),
                ("advices", models.BigIntegerField(verbose_name="脱机消费笔数")),
                ("others", models.BigIntegerField(verbose_name="其他笔数")),
                ("approved", models.BigIntegerField(verbose_name="成功笔数")),
                ("refused", models.BigIntegerField(verbose_name="拒绝笔数")),
                ("busy", models.BigIntegerField(verbose_name="系统忙笔数")),
                ("latency_p50_us", models.BigIntegerField(verbose_name="中位时延（微秒）")),
                ("latency_p99_us", models.BigIntegerField(verbose_name="P99 时延（微秒）")),
                ("batches", models.BigIntegerField(verbose_name="批次数")),
                ("queue_rows", models.BigIntegerField(verbose_name="排队笔数")),
                ("oldest_unposted_ms", models.BigIntegerField(verbose_name="最早未入账（毫秒）")),
            ],
            options={
                "verbose_name": "实时指标",
                "verbose_name_plural": "实时指标",
                "ordering": ("-at",),
                "indexes": [models.Index(fields=["at"], name="live_figure_at")],
            },
        ),
        migrations.CreateModel(
            name="LiveFigureUnit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("server", models.CharField(max_length=100, verbose_name="应用服务器")),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("operator_id", models.IntegerField(verbose_name="运营单位")),
                ("unit_id", models.IntegerField(verbose_name="接入单位")),
                ("approved", models.BigIntegerField(verbose_name="成功笔数")),
            ],
            options={
                "verbose_name": "单位实时指标",
                "verbose_name_plural": "单位实时指标",
                "ordering": ("-at",),
                "indexes": [models.Index(fields=["at"], name="live_figure_unit_at")],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE monitoring_livefigure SET UNLOGGED; ALTER TABLE monitoring_livefigureunit SET UNLOGGED;",
            migrations.RunSQL.noop,
        ),
    ]
