"""What may be done with chips, permission by permission."""

from onecard.kernel.codes import Text

PERMISSIONS: dict[str, Text] = {
    "chip.view": Text("查看芯片钱包、待处理记录与断号", "See chip purses, kept records and holes"),
    "chip.decide": Text(
        "申请处理：放行、拒绝、圈存存疑、关闭断号", "Propose a decision: release, refuse, settle a doubt, close a hole"
    ),
    "chip.approve": Text("审批他人的处理申请", "Approve what another has proposed"),
    "chip.parameters": Text("修改芯片参数与限额", "Change the chip's parameters and limits"),
}
