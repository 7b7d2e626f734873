"""What an actor may be allowed to do with payment codes."""

from onecard.kernel.codes import Text

PERMISSIONS: dict[str, Text] = {
    "paycodes.issue": Text("生成付款码", "issue payment codes"),
    "paycodes.limits": Text("设定付款码限额", "set the limits of payment codes"),
    "paycodes.settle": Text("处理未入账的付款码交易", "settle held payments by code"),
}
