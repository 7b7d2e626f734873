"""What an actor may be allowed to do with the repository, releases and roll-outs."""

from onecard.kernel.codes import Text

VIEW = "rollouts.view"
RELEASE = "rollouts.release"
PLAN = "rollouts.plan"
APPROVE = "rollouts.approve"
OPERATE = "rollouts.operate"
KEYS = "rollouts.keys"

PERMISSIONS: dict[str, Text] = {
    VIEW: Text("查看升级发布与进度", "see releases, roll-outs and their progress"),
    RELEASE: Text("登记升级发布", "hand in releases to be signed"),
    PLAN: Text("制定升级计划", "plan roll-outs"),
    APPROVE: Text("审批他人的升级计划", "approve a roll-out that another has planned"),
    OPERATE: Text("启动、暂停、恢复、取消升级", "start, pause, resume and cancel roll-outs"),
    KEYS: Text("建立升级库、导入脱机签名文件", "make the repository and bring in what was signed off line"),
}
