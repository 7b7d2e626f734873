"""What an actor may be allowed to do with payment codes."""

from onecard.kernel.codes import Text

PERMISSIONS: dict[str, Text] = {
    "paycodes.view": Text("查看账户的付款码、使用记录与限额", "see an account's payment codes, their uses and limits"),
    "paycodes.issue": Text("生成付款码", "issue payment codes"),
    "paycodes.limits": Text("设定付款码限额", "set the limits of payment codes"),
    "paycodes.held": Text("查看未入账的付款码交易", "see held payments by code"),
    "paycodes.decide": Text("申请处理未入账的付款码交易", "propose to release or refuse a held payment by code"),
    "paycodes.approve": Text("审批他人的付款码交易处理申请", "approve what another has proposed for a held payment by code"),
}
