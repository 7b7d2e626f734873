"""The permissions of the keys, by the names that actors carry. Ceremony and approvals have theirs in `custody`."""

from onecard.kernel.codes import Text

PERMISSIONS: dict[str, Text] = {
    "keys.initialise": Text("建立密钥保管库", "make the key vault"),
    "keys.passphrase": Text("更换保管库口令", "change the vault's passphrase"),
    "keys.rotate": Text("生成密钥新版本", "make the next version of a key"),
    "keys.import": Text("由分量合成密钥", "put a key together from components"),
    "keys.activate": Text("启用密钥版本", "activate a key version"),
    "keys.destroy": Text("销毁密钥版本", "destroy a key version"),
    "keys.export": Text("导出密钥（区域密钥加密）", "export a key under a zone key"),
    "keys.alarm": Text("确认密钥使用告警", "acknowledge alarms on key use"),
    "keys.rule": Text("设置密钥使用告警阈值", "set when key use raises an alarm"),
}
