"""What an actor may be allowed to do with cardholders."""

from onecard.kernel.codes import Text

PERMISSIONS: dict[str, Text] = {
    "people.create": Text("登记持卡人", "register cardholders"),
    "people.register": Text("不记名转实名", "give an anonymous cardholder a name"),
    "people.change": Text("修改持卡人资料", "change a cardholder's data"),
    "people.close": Text("注销持卡人", "close a cardholder"),
    "people.department": Text("管理部门", "keep the departments of a unit"),
    "people.load": Text("批量导入持卡人", "load cardholders in bulk"),
    "people.caps": Text("设定法定限额", "set the legal caps"),
}
