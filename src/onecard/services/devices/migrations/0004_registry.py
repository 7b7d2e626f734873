"""The registry of devices, their parameters, states, events and alarms (D1)."""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [
        ("devices", "0003_admission"),
        ("operators", "0002_triggers"),
    ]

    operations = [
        migrations.CreateModel(
            name="Device",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("serial", models.CharField(max_length=60, verbose_name="序列号")),
                ("hardware", models.CharField(blank=True, default="", max_length=60, verbose_name="硬件标识")),
                ("firmware", models.CharField(blank=True, default="", max_length=60, verbose_name="固件")),
                ("place", models.CharField(blank=True, default="", max_length=100, verbose_name="安装位置")),
                ("note", models.CharField(blank=True, default="", max_length=200, verbose_name="备注")),
                ("registered_at", models.DateTimeField(verbose_name="登记时间")),
                ("registered_by", models.CharField(max_length=150, verbose_name="登记人")),
                (
                    "line",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="device",
                        to="devices.line",
                        verbose_name="线路",
                    ),
                ),
                (
                    "operator",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="operators.operator",
                        verbose_name="库存所属运营单位",
                    ),
                ),
                (
                    "terminal",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="device",
                        to="devices.terminal",
                        verbose_name="终端",
                    ),
                ),
            ],
            options={
                "verbose_name": "设备",
                "verbose_name_plural": "设备",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Alarm",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("gateway_silent", "网关无报告"),
                            ("line_lost", "线路中断"),
                            ("device_lost", "设备离线"),
                            ("clock_off", "时钟偏差"),
                            ("backlog_old", "积压过久"),
                            ("disk_low", "磁盘空间不足"),
                            ("sequence_hole", "流水号缺口"),
                            ("hardware_changed", "设备与登记不符"),
                            ("lease", "租约到期分级"),
                            ("data_refused", "数据被拒用"),
                            ("update_failed", "升级失败"),
                            ("record_refused", "脱机记录未入账"),
                            ("line_refused", "拒绝接入"),
                            ("tamper", "防拆报警"),
                            ("error", "设备故障"),
                        ],
                        max_length=20,
                        verbose_name="类别",
                    ),
                ),
                ("gateway", models.CharField(blank=True, default="", max_length=60, verbose_name="网关")),
                ("severity", models.SmallIntegerField(choices=[(1, "提示"), (2, "警告"), (3, "严重")], verbose_name="级别")),
                ("detail", models.CharField(blank=True, default="", max_length=560, verbose_name="说明")),
                ("times", models.IntegerField(default=1, verbose_name="次数")),
                ("raised_at", models.DateTimeField(verbose_name="发生时间")),
                ("last_at", models.DateTimeField(verbose_name="最近时间")),
                ("well_since", models.DateTimeField(null=True, verbose_name="恢复自")),
                ("acknowledged_at", models.DateTimeField(null=True, verbose_name="确认时间")),
                ("acknowledged_by", models.CharField(blank=True, default="", max_length=150, verbose_name="确认人")),
                ("cleared_at", models.DateTimeField(null=True, verbose_name="解除时间")),
                (
                    "line",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alarms",
                        to="devices.line",
                        verbose_name="线路",
                    ),
                ),
                (
                    "terminal",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="alarms",
                        to="devices.terminal",
                        verbose_name="终端",
                    ),
                ),
            ],
            options={
                "verbose_name": "告警",
                "verbose_name_plural": "告警",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="AlarmRecipient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, verbose_name="名称")),
                (
                    "channel",
                    models.CharField(choices=[("mail", "邮件"), ("webhook", "Webhook")], max_length=8, verbose_name="方式"),
                ),
                ("address", models.CharField(max_length=300, verbose_name="地址")),
                (
                    "severity",
                    models.SmallIntegerField(choices=[(1, "提示"), (2, "警告"), (3, "严重")], default=2, verbose_name="最低级别"),
                ),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("gateway_silent", "网关无报告"),
                                ("line_lost", "线路中断"),
                                ("device_lost", "设备离线"),
                                ("clock_off", "时钟偏差"),
                                ("backlog_old", "积压过久"),
                                ("disk_low", "磁盘空间不足"),
                                ("sequence_hole", "流水号缺口"),
                                ("hardware_changed", "设备与登记不符"),
                                ("lease", "租约到期分级"),
                                ("data_refused", "数据被拒用"),
                                ("update_failed", "升级失败"),
                                ("record_refused", "脱机记录未入账"),
                                ("line_refused", "拒绝接入"),
                                ("tamper", "防拆报警"),
                                ("error", "设备故障"),
                            ],
                            max_length=20,
                        ),
                        blank=True,
                        default=list,
                        size=None,
                        verbose_name="类别",
                    ),
                ),
                ("active", models.BooleanField(default=True, verbose_name="启用")),
                ("key_generation", models.IntegerField(default=1, verbose_name="签名密钥代次")),
                ("key_changed_at", models.DateTimeField(null=True, verbose_name="换钥时间")),
                ("problem", models.CharField(blank=True, default="", max_length=300, verbose_name="问题")),
                (
                    "operator",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="operators.operator",
                        verbose_name="运营单位",
                    ),
                ),
            ],
            options={
                "verbose_name": "告警接收方",
                "verbose_name_plural": "告警接收方",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="AlarmMessage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("made_at", models.DateTimeField(verbose_name="生成时间")),
                ("steps", models.JSONField(verbose_name="内容")),
                ("more", models.IntegerField(default=0, verbose_name="其余条数")),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "待发送"), ("sent", "已发送"), ("failed", "发送失败")],
                        default="waiting",
                        max_length=8,
                        verbose_name="状态",
                    ),
                ),
                ("attempts", models.IntegerField(default=0, verbose_name="尝试次数")),
                ("next_at", models.DateTimeField(null=True, verbose_name="下次发送")),
                ("sent_at", models.DateTimeField(null=True, verbose_name="发送时间")),
                (
                    "recipient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="messages", to="devices.alarmrecipient"
                    ),
                ),
            ],
            options={
                "verbose_name": "告警消息",
                "verbose_name_plural": "告警消息",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="AlarmRule",
            fields=[
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("gateway_silent", "网关无报告"),
                            ("line_lost", "线路中断"),
                            ("device_lost", "设备离线"),
                            ("clock_off", "时钟偏差"),
                            ("backlog_old", "积压过久"),
                            ("disk_low", "磁盘空间不足"),
                            ("sequence_hole", "流水号缺口"),
                            ("hardware_changed", "设备与登记不符"),
                            ("lease", "租约到期分级"),
                            ("data_refused", "数据被拒用"),
                            ("update_failed", "升级失败"),
                            ("record_refused", "脱机记录未入账"),
                            ("line_refused", "拒绝接入"),
                            ("tamper", "防拆报警"),
                            ("error", "设备故障"),
                        ],
                        max_length=20,
                        primary_key=True,
                        serialize=False,
                        verbose_name="类别",
                    ),
                ),
                ("enabled", models.BooleanField(default=True, verbose_name="启用")),
                ("severity", models.SmallIntegerField(choices=[(1, "提示"), (2, "警告"), (3, "严重")], verbose_name="级别")),
                ("threshold", models.BigIntegerField(default=0, verbose_name="阈值")),
                ("unit", models.CharField(blank=True, default="", max_length=4, verbose_name="阈值单位")),
                ("settle_s", models.IntegerField(default=60, verbose_name="恢复满（秒）后自动解除，0 为人工解除")),
            ],
            options={
                "verbose_name": "告警规则",
                "verbose_name_plural": "告警规则",
                "ordering": ("kind",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "kind__in",
                                [
                                    "gateway_silent",
                                    "line_lost",
                                    "device_lost",
                                    "clock_off",
                                    "backlog_old",
                                    "disk_low",
                                    "sequence_hole",
                                    "hardware_changed",
                                    "lease",
                                    "data_refused",
                                    "update_failed",
                                    "record_refused",
                                    "line_refused",
                                    "tamper",
                                    "error",
                                ],
                            )
                        ),
                        name="alarm_rule_kind",
                    ),
                    models.CheckConstraint(condition=models.Q(("severity__in", [1, 2, 3])), name="alarm_rule_severity"),
                    models.CheckConstraint(
                        condition=models.Q(("settle_s__gte", 0), ("threshold__gte", 0)), name="alarm_rule_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AlarmStep",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "what",
                    models.CharField(
                        choices=[("raised", "发生"), ("acknowledged", "已确认"), ("cleared", "已解除")],
                        max_length=12,
                        verbose_name="步骤",
                    ),
                ),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("who", models.CharField(blank=True, default="", max_length=150, verbose_name="人员")),
                ("note", models.CharField(blank=True, default="", max_length=500, verbose_name="说明")),
                ("told", models.BooleanField(default=False)),
                (
                    "alarm",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="steps", to="devices.alarm"),
                ),
            ],
            options={
                "verbose_name": "告警步骤",
                "verbose_name_plural": "告警步骤",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="DeviceOverride",
            fields=[
                (
                    "device",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="override",
                        serialize=False,
                        to="devices.device",
                    ),
                ),
                ("values", models.JSONField(default=dict, verbose_name="取值")),
                ("changed_at", models.DateTimeField(verbose_name="变更时间")),
                ("changed_by", models.CharField(max_length=150, verbose_name="变更人")),
            ],
            options={
                "verbose_name": "单台参数",
                "verbose_name_plural": "单台参数",
            },
        ),
        migrations.CreateModel(
            name="DeviceModel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("maker", models.CharField(max_length=60, verbose_name="厂商")),
                ("model", models.CharField(max_length=60, verbose_name="型号")),
                ("hardware", models.CharField(blank=True, default="", max_length=60, verbose_name="硬件标识")),
                (
                    "capabilities",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("pay", "支付"),
                                ("identify", "识别"),
                                ("attend", "考勤"),
                                ("display", "显示"),
                                ("meter", "计量"),
                                ("upgrade", "远程升级"),
                                ("time", "校时"),
                                ("list", "名单"),
                            ],
                            max_length=10,
                        ),
                        default=list,
                        size=None,
                        verbose_name="能力",
                    ),
                ),
            ],
            options={
                "verbose_name": "设备型号",
                "verbose_name_plural": "设备型号",
                "ordering": ("maker", "model"),
                "constraints": [
                    models.UniqueConstraint(fields=("maker", "model"), name="device_model"),
                    models.CheckConstraint(
                        condition=models.Q(models.Q(("maker", ""), _negated=True), models.Q(("model", ""), _negated=True)),
                        name="device_model_named",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "capabilities__contained_by",
                                ["pay", "identify", "attend", "display", "meter", "upgrade", "time", "list"],
                            )
                        ),
                        name="device_model_capabilities",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="device",
            name="model",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="devices", to="devices.devicemodel", verbose_name="型号"
            ),
        ),
        migrations.CreateModel(
            name="DeviceMove",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("who", models.CharField(max_length=150, verbose_name="人员")),
                ("note", models.CharField(blank=True, default="", max_length=200, verbose_name="说明")),
                ("from_line_id", models.BigIntegerField(null=True)),
                ("from_terminal_id", models.BigIntegerField(null=True)),
                ("from_operator_id", models.IntegerField(verbose_name="原运营单位")),
                ("to_line_id", models.BigIntegerField(null=True)),
                ("to_terminal_id", models.BigIntegerField(null=True)),
                ("to_operator_id", models.IntegerField(verbose_name="新运营单位")),
                ("left_unit", models.BooleanField(verbose_name="离开单位")),
                (
                    "device",
                    models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="moves", to="devices.device"),
                ),
            ],
            options={
                "verbose_name": "设备移动",
                "verbose_name_plural": "设备移动",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="DeviceStatus",
            fields=[
                ("clock_offset_us", models.BigIntegerField(null=True, verbose_name="时钟偏差（微秒）")),
                ("backlog", models.BigIntegerField(null=True, verbose_name="积压笔数")),
                ("oldest_unsent_at", models.DateTimeField(null=True, verbose_name="最早未上送时间")),
                ("versions", models.JSONField(default=dict, verbose_name="版本")),
                ("firmware", models.CharField(blank=True, default="", max_length=60, verbose_name="固件")),
                ("last_error", models.CharField(blank=True, default="", max_length=500, verbose_name="最近故障")),
                ("disk_free_permille", models.SmallIntegerField(null=True, verbose_name="磁盘剩余（‰）")),
                ("lease_serial", models.BigIntegerField(null=True, verbose_name="租约序号")),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("heard_at", models.DateTimeField(verbose_name="最近心跳")),
                ("online", models.BooleanField(default=True, verbose_name="在线")),
                ("since", models.DateTimeField(verbose_name="自")),
                ("address", models.CharField(blank=True, default="", max_length=60, verbose_name="地址")),
                ("maker", models.CharField(blank=True, default="", max_length=60, verbose_name="厂商")),
                ("model", models.CharField(blank=True, default="", max_length=60, verbose_name="型号")),
                ("hardware", models.CharField(blank=True, default="", max_length=60, verbose_name="硬件标识")),
                ("serial", models.CharField(blank=True, default="", max_length=60, verbose_name="序列号")),
                ("holes", models.JSONField(default=list, verbose_name="流水号缺口")),
                ("sampled_at", models.DateTimeField(verbose_name="采样时间")),
                (
                    "line",
                    models.OneToOneField(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="device_status", to="devices.line"
                    ),
                ),
                (
                    "terminal",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="device_status",
                        to="devices.terminal",
                    ),
                ),
            ],
            options={
                "verbose_name": "设备状态",
                "verbose_name_plural": "设备状态",
            },
        ),
        migrations.CreateModel(
            name="Keeping",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("history_days", models.IntegerField(default=90, verbose_name="状态历史保留（天）")),
                ("event_days", models.IntegerField(default=365, verbose_name="事件保留（天）")),
                ("sample_minutes", models.IntegerField(default=15, verbose_name="采样间隔（分钟）")),
            ],
            options={
                "verbose_name": "保留期限",
                "verbose_name_plural": "保留期限",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="keeping_one"),
                    models.CheckConstraint(
                        condition=models.Q(("event_days__gte", 1), ("history_days__gte", 1), ("sample_minutes__gte", 1)),
                        name="keeping_positive",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LineParameters",
            fields=[
                (
                    "line",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="parameters",
                        serialize=False,
                        to="devices.line",
                    ),
                ),
                ("version", models.BigIntegerField(verbose_name="版本")),
                ("content", models.BinaryField(verbose_name="内容")),
                ("changed_at", models.DateTimeField(verbose_name="变更时间")),
                ("published_version", models.BigIntegerField(default=0, verbose_name="已发布版本")),
                ("problem", models.CharField(blank=True, default="", max_length=200, verbose_name="问题")),
            ],
            options={
                "verbose_name": "线路参数",
                "verbose_name_plural": "线路参数",
                "indexes": [
                    models.Index(
                        condition=models.Q(("published_version", models.F("version")), _negated=True),
                        fields=["changed_at"],
                        name="parameters_waiting",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("published_version__lte", models.F("version"))), name="parameters_published"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageAttempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("delivered", models.BooleanField(verbose_name="送达")),
                ("detail", models.CharField(blank=True, default="", max_length=300, verbose_name="结果")),
                (
                    "message",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tries", to="devices.alarmmessage"
                    ),
                ),
            ],
            options={
                "verbose_name": "发送尝试",
                "verbose_name_plural": "发送尝试",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="Parameter",
            fields=[
                ("key", models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name="键")),
                ("title_zh", models.CharField(max_length=60, verbose_name="名称")),
                ("title_en", models.CharField(max_length=60, verbose_name="英文名称")),
                (
                    "kind",
                    models.CharField(
                        choices=[("integer", "整数"), ("boolean", "是否"), ("text", "文字"), ("choice", "选项")],
                        max_length=8,
                        verbose_name="类型",
                    ),
                ),
                ("least", models.BigIntegerField(blank=True, null=True, verbose_name="下限")),
                ("most", models.BigIntegerField(blank=True, null=True, verbose_name="上限")),
                (
                    "choices",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40), blank=True, default=list, size=None, verbose_name="可选值"
                    ),
                ),
                ("default", models.JSONField(verbose_name="默认值")),
            ],
            options={
                "verbose_name": "参数",
                "verbose_name_plural": "参数",
                "ordering": ("key",),
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("key__regex", "^[a-z][a-z0-9_.]{0,39}$")), name="parameter_key"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["integer", "boolean", "text", "choice"])), name="parameter_kind"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "choice"), _negated=True), models.Q(("choices", []), _negated=True), _connector="OR"
                        ),
                        name="parameter_choices",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ParameterTemplate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, verbose_name="名称")),
                ("values", models.JSONField(default=dict, verbose_name="取值")),
                ("changed_at", models.DateTimeField(verbose_name="变更时间")),
                ("changed_by", models.CharField(max_length=150, verbose_name="变更人")),
                (
                    "model",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="templates",
                        to="devices.devicemodel",
                        verbose_name="型号",
                    ),
                ),
                (
                    "unit",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="operators.unit",
                        verbose_name="接入单位",
                    ),
                ),
            ],
            options={
                "verbose_name": "参数模板",
                "verbose_name_plural": "参数模板",
                "ordering": ("id",),
            },
        ),
        migrations.CreateModel(
            name="ParameterChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("who", models.CharField(max_length=150, verbose_name="人员")),
                ("before", models.JSONField(verbose_name="变更前")),
                ("after", models.JSONField(verbose_name="变更后")),
                ("devices", models.IntegerField(verbose_name="涉及设备")),
                (
                    "device",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="changes", to="devices.device"
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="changes",
                        to="devices.parametertemplate",
                    ),
                ),
            ],
            options={
                "verbose_name": "参数变更",
                "verbose_name_plural": "参数变更",
                "ordering": ("-id",),
            },
        ),
        migrations.CreateModel(
            name="StatusHistory",
            fields=[
                ("clock_offset_us", models.BigIntegerField(null=True, verbose_name="时钟偏差（微秒）")),
                ("backlog", models.BigIntegerField(null=True, verbose_name="积压笔数")),
                ("oldest_unsent_at", models.DateTimeField(null=True, verbose_name="最早未上送时间")),
                ("versions", models.JSONField(default=dict, verbose_name="版本")),
                ("firmware", models.CharField(blank=True, default="", max_length=60, verbose_name="固件")),
                ("last_error", models.CharField(blank=True, default="", max_length=500, verbose_name="最近故障")),
                ("disk_free_permille", models.SmallIntegerField(null=True, verbose_name="磁盘剩余（‰）")),
                ("lease_serial", models.BigIntegerField(null=True, verbose_name="租约序号")),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("line_id", models.BigIntegerField(null=True)),
                ("terminal_id", models.BigIntegerField(null=True)),
                ("at", models.DateTimeField(verbose_name="时间")),
                ("online", models.BooleanField(verbose_name="在线")),
            ],
            options={
                "verbose_name": "状态历史",
                "verbose_name_plural": "状态历史",
                "indexes": [
                    models.Index(
                        condition=models.Q(("line_id__isnull", False)), fields=["line_id", "-id"], name="history_of_line"
                    ),
                    models.Index(
                        condition=models.Q(("terminal_id__isnull", False)),
                        fields=["terminal_id", "-id"],
                        name="history_of_terminal",
                    ),
                    models.Index(fields=["at"], name="history_at"),
                ],
            },
        ),
        migrations.CreateModel(
            name="StoredEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.UUIDField(unique=True)),
                ("kind", models.IntegerField(verbose_name="类别")),
                ("occurred_at", models.DateTimeField(verbose_name="发生时间")),
                ("received_at", models.DateTimeField(verbose_name="收到时间")),
                ("card_no", models.BigIntegerField(null=True, verbose_name="卡号")),
                ("detail", models.CharField(blank=True, default="", max_length=560, verbose_name="说明")),
                ("action_id", models.BigIntegerField(null=True, verbose_name="升级动作")),
                (
                    "line",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="devices.line"
                    ),
                ),
                (
                    "terminal",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="devices.terminal",
                    ),
                ),
            ],
            options={
                "verbose_name": "设备事件",
                "verbose_name_plural": "设备事件",
            },
        ),
        migrations.AddConstraint(
            model_name="alarm",
            constraint=models.UniqueConstraint(
                condition=models.Q(("cleared_at__isnull", True)),
                fields=("kind", "line", "terminal", "gateway"),
                name="alarm_one_open",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="alarm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "gateway_silent",
                            "line_lost",
                            "device_lost",
                            "clock_off",
                            "backlog_old",
                            "disk_low",
                            "sequence_hole",
                            "hardware_changed",
                            "lease",
                            "data_refused",
                            "update_failed",
                            "record_refused",
                            "line_refused",
                            "tamper",
                            "error",
                        ],
                    )
                ),
                name="alarm_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="alarm",
            constraint=models.CheckConstraint(
                condition=models.Q(("line__isnull", True), ("terminal__isnull", True), _connector="OR"), name="alarm_subject"
            ),
        ),
        migrations.AddConstraint(
            model_name="alarm",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("acknowledged_at__isnull", True), ("acknowledged_by", "")),
                    models.Q(("acknowledged_at__isnull", False), models.Q(("acknowledged_by", ""), _negated=True)),
                    _connector="OR",
                ),
                name="alarm_acknowledged",
            ),
        ),
        migrations.AddConstraint(
            model_name="alarmrecipient",
            constraint=models.CheckConstraint(condition=models.Q(("channel__in", ["mail", "webhook"])), name="recipient_channel"),
        ),
        migrations.AddConstraint(
            model_name="alarmrecipient",
            constraint=models.CheckConstraint(condition=models.Q(("severity__in", [1, 2, 3])), name="recipient_severity"),
        ),
        migrations.AddConstraint(
            model_name="alarmrecipient",
            constraint=models.UniqueConstraint(
                fields=("operator", "channel", "address"), name="recipient_once", nulls_distinct=False
            ),
        ),
        migrations.AddIndex(
            model_name="alarmmessage",
            index=models.Index(condition=models.Q(("state", "waiting")), fields=["next_at"], name="alarm_message_due"),
        ),
        migrations.AddConstraint(
            model_name="alarmmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["waiting", "sent", "failed"])), name="alarm_message_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="alarmmessage",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "waiting"), ("next_at__isnull", True), _connector="XOR"), name="alarm_message_next"
            ),
        ),
        migrations.AddIndex(
            model_name="alarmstep",
            index=models.Index(condition=models.Q(("told", False)), fields=["id"], name="alarm_step_untold"),
        ),
        migrations.AddConstraint(
            model_name="device",
            constraint=models.UniqueConstraint(fields=("model", "serial"), name="device_serial"),
        ),
        migrations.AddConstraint(
            model_name="device",
            constraint=models.CheckConstraint(condition=models.Q(("serial", ""), _negated=True), name="device_serial_given"),
        ),
        migrations.AddConstraint(
            model_name="device",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("line__isnull", False), ("operator__isnull", True), ("terminal__isnull", True)),
                    models.Q(("line__isnull", True), ("operator__isnull", True), ("terminal__isnull", False)),
                    models.Q(("line__isnull", True), ("operator__isnull", False), ("terminal__isnull", True)),
                    _connector="OR",
                ),
                name="device_one_place",
            ),
        ),
        migrations.AddConstraint(
            model_name="devicestatus",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("line__isnull", False), ("terminal__isnull", True)),
                    models.Q(("line__isnull", True), ("terminal__isnull", False)),
                    _connector="OR",
                ),
                name="device_status_subject",
            ),
        ),
        migrations.AddConstraint(
            model_name="parametertemplate",
            constraint=models.UniqueConstraint(fields=("model", "unit"), name="template_scope", nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name="parametertemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("model__isnull", False), ("unit__isnull", False), _connector="OR"), name="template_scoped"
            ),
        ),
        migrations.AddIndex(
            model_name="storedevent",
            index=models.Index(fields=["line", "-id"], name="event_of_line"),
        ),
        migrations.AddIndex(
            model_name="storedevent",
            index=models.Index(
                condition=models.Q(("terminal__isnull", False)), fields=["terminal", "-id"], name="event_of_terminal"
            ),
        ),
        migrations.AddIndex(
            model_name="storedevent",
            index=models.Index(fields=["received_at"], name="event_received"),
        ),
        migrations.RunSQL((SQL / "registry.sql").read_text(encoding="utf-8"), migrations.RunSQL.noop),
    ]
