"""The columns a file of cardholders may have, and the headers people write over them. Pure."""

from collections.abc import Mapping, Sequence

from onecard.kernel.codes import Text
from onecard.kernel.errors import InvalidInput

FIELDS: Mapping[str, tuple[Text, tuple[str, ...]]] = {
    "name": (Text("姓名", "name"), ("持卡人", "持卡人姓名", "学生姓名", "员工姓名", "full name", "cardholder")),
    "document_type": (Text("证件类型", "document type"), ("证件类别", "证件种类", "id type")),
    "document_no": (
        Text("证件号码", "document number"),
        ("证件号", "身份证号", "身份证号码", "身份证", "id number", "id no", "document no"),
    ),
    "staff_no": (
        Text("工号/学号", "staff number"),
        (
            "工号",
            "学号",
            "学工号",
            "职工号",
            "员工编号",
            "人员编号",
            "student number",
            "student no",
            "staff no",
            "employee id",
            "student id",
        ),
    ),
    "unit": (Text("单位编码", "unit code"), ("单位", "接入单位", "unit")),
    "department": (Text("部门", "department"), ("院系", "班级", "所属部门", "部门名称", "department path", "class")),
    "gender": (Text("性别", "gender"), ("sex",)),
    "phone": (Text("手机号", "phone"), ("手机", "手机号码", "电话", "联系电话", "mobile", "telephone", "phone number")),
    "public_yuan": (Text("公共钱包余额", "public balance"), ("公共钱包", "初始余额", "public yuan")),
    "private_yuan": (Text("私有钱包余额", "private balance"), ("私有钱包", "private yuan")),
}
_BY_HEADER = {header.casefold(): name for name, (text, others) in FIELDS.items() for header in (name, text.zh, text.en, *others)}
MAX_COLUMNS = 100
MAX_DEPARTMENT_DEPTH = 10
MAX_DEPARTMENT_NAME = 60


def match_headers(headers: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Field → place of its column. Raises InvalidInput for no name column, one field twice, or a mapping to nowhere."""
    plain = [_plain(header) for header in headers]
    found: dict[str, int] = {}
    for name, header in mapping.items():
        if name not in FIELDS:
            raise InvalidInput(f"没有字段 {name}（{'、'.join(FIELDS)}）", f"there is no field {name} ({', '.join(FIELDS)})")
        places = [place for place, text in enumerate(plain) if text == _plain(header)]
        if len(places) != 1:
            seen = "、".join(headers[:MAX_COLUMNS])
            raise InvalidInput(f"表头中没有唯一的“{header}”：{seen}", f"not one header {header!r} among: {seen}")
        found[name] = places[0]
    for place, header in enumerate(plain):
        name_of = _BY_HEADER.get(header)
        if name_of is None or name_of in mapping or place in found.values():
            continue
        if name_of in found:
            raise InvalidInput(
                f"两列都是{FIELDS[name_of][0].zh}：用 --map 指明", f"two columns are {name_of}: say which with --map"
            )
        found[name_of] = place
    if "name" not in found:
        seen = "、".join(headers[:MAX_COLUMNS])
        raise InvalidInput(f"没有姓名列；表头为：{seen}", f"there is no column of names among: {seen}")
    return found


def _plain(header: str) -> str:
    return " ".join(header.replace("_", " ").replace("*", " ").split()).casefold()
