"""What the constraints on cardholders mean to people.

RuleViolated    O2: the operator's cap, or another operator's unit; O5: another unit's department
InvalidInput    a document or staff number that is registered already, a holder who is neither named nor anonymous
"""

from collections.abc import Mapping

from onecard.services.operators.api import Refusal

_REFUSALS: Mapping[str, Refusal] = {
    "holder_document": Refusal(None, "该证件已登记", "the document is registered already"),
    "holder_staff_no": Refusal(None, "该单位已有此工号/学号", "the unit has this staff or student number already"),
    "holder_real_name": Refusal(
        None,
        "实名持卡人须有姓名，不记名持卡人不得有姓名、证件和工号",
        "a holder has a name, or is anonymous and has no name, document or staff number",
    ),
    "holder_of_a_unit": Refusal(
        None, "有工号或部门的持卡人须属于接入单位", "a holder with a staff number or department is of a unit"
    ),
    "holder_document_type": Refusal(None, "证件类型与证件号须同时填写", "document type and number come together"),
    "holder_department_unit": Refusal("O5", "部门须属于持卡人的接入单位", "the department is of the holder's unit"),
    "department_parent_unit": Refusal("O5", "上级部门须属于同一接入单位", "the department above is of the same unit"),
    "department_no_circle": Refusal("O5", "部门不能隶属于自己的下级", "a department cannot stand below itself"),
    "department_code": Refusal(None, "该单位已有此部门编码", "the unit has this department code already"),
    "department_name": Refusal(None, "上级部门下已有同名部门", "there is a department of this name at this place"),
    "department_plain_name": Refusal(None, "部门名称不能为空或含“/”", "a department's name is not empty and has no slash"),
    "legal_cap_begun": Refusal(
        None,
        "已生效的限额不能更改，新限额不能早于今天",
        "a cap that has begun is not changed, and a new one does not begin before today",
    ),
    "legal_cap_not_negative": Refusal(None, "限额不能为负", "a cap cannot be negative"),
}


def build_refusals(cap: int | None) -> dict[str, Refusal]:
    """The refusals of one operator; `cap` is its cap on cardholders."""
    return {
        **_REFUSALS,
        "operator_holder_cap": Refusal("O2", f"持卡人最多 {cap} 人", f"at most {cap} cardholders", cap),
    }
