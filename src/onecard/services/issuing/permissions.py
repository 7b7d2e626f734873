"""The permissions of personalisation, for roles in the consoles."""

from onecard.kernel.codes import Text

READ = "issuing.read"
PLAN = "issuing.plan"
WRITE = "issuing.write"
CONTROL = "issuing.control"
ROLL_BACK = "issuing.roll_back"

PERMISSIONS: dict[str, Text] = {
    READ: Text("查看制卡批次与进度", "See issuing batches and their progress"),
    PLAN: Text("建立制卡批次", "Create issuing batches"),
    WRITE: Text("制卡（写卡与发卡）", "Personalise and issue cards"),
    CONTROL: Text("暂停、继续、取消批次", "Pause, resume and cancel batches"),
    ROLL_BACK: Text("重做、回退作业", "Retry and roll back jobs"),
}
