"""The permissions of devices, by the names that actors carry."""

from onecard.kernel.codes import Text

VIEW = "devices.view"
REGISTER = "devices.register"
CONFIGURE = "devices.configure"
ALARM = "devices.alarm"
RULES = "devices.alarm_rules"

PERMISSIONS: dict[str, Text] = {
    VIEW: Text("查看设备、状态、告警", "see devices, their states and alarms"),
    REGISTER: Text("登记、移动设备", "register and move devices"),
    CONFIGURE: Text("设置设备参数", "set parameters of devices"),
    ALARM: Text("确认、解除告警", "acknowledge and clear alarms"),
    RULES: Text("设置告警规则、接收方", "set rules of alarms and who is told"),
}
