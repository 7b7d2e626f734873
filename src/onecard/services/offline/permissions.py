"""What an actor may be allowed to do with lists and rules for deciding off line."""

from onecard.kernel.codes import Text

PERMISSIONS: dict[str, Text] = {
    "offline.rules": Text("设定脱机规则", "set offline rules"),
    "offline.release": Text("发布被暂缓的黑名单", "release a deny list that is held"),
}
