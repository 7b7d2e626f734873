"""What the constraints on devices mean to people.

RuleViolated    D1: unsent records or a bound SAM on a device that is to move, a place that is taken
InvalidInput    a serial number that is taken, a template for the same devices
"""

from onecard.services.operators.api import Refusal

REFUSALS = {
    "device_unsent": Refusal(
        "D1", "设备尚有未上送的记录，不能移走", "the device has records that have not come up: it cannot be moved"
    ),
    "device_sam": Refusal(
        "D1", "设备内的 SAM 仍绑定在原终端，请先解绑", "the SAM in the device is bound to its terminal: unbind it first"
    ),
    "device_straight": Refusal(
        "D1", "直连终端的设备登记在线路上", "the device of a terminal that attaches straight stands at its line"
    ),
    "devices_device_line_id_key": Refusal("D1", "该线路已有设备", "there is a device at this line"),
    "devices_device_terminal_id_key": Refusal("D1", "该终端已有设备", "there is a device at this terminal"),
    "device_serial": Refusal(None, "该型号已有此序列号", "a device of this model has this serial number"),
    "device_serial_given": Refusal(None, "须有序列号", "a serial number is needed"),
    "device_one_place": Refusal(
        None, "设备在一条线路、一个终端或一个运营单位的库存中", "a device is at one line, at one terminal, or in one store"
    ),
    "device_model_named": Refusal(None, "须有厂商和型号", "maker and model are needed"),
    "device_model_capabilities": Refusal(None, "不认识的能力", "no such capability"),
    "template_scope": Refusal(None, "该型号、单位已有模板", "there is a template for this model and unit"),
    "template_scoped": Refusal(None, "模板须指定型号或单位", "a template is for a model or a unit"),
    "parameter_key": Refusal(None, "参数键须为小写字母、数字、下划线", "a key is lower-case letters, digits, underscores"),
    "parameter_choices": Refusal(None, "选项参数须有可选值", "a choice needs values to choose from"),
    "recipient_once": Refusal(None, "该接收方已存在", "this recipient is there already"),
}
