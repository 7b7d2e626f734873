"""What the constraints on cardholders mean to people.

RuleViolated    O2: the operator's cap, or another operator's unit
InvalidInput    a document that is registered already, a holder who is neither named nor anonymous
"""

from onecard.services.operators.api import Refusal


def build_refusals(cap: int | None) -> dict[str, Refusal]:
    """The refusals of one operator; `cap` is its cap on cardholders."""
    return {
        "operator_holder_cap": Refusal("O2", f"持卡人最多 {cap} 人", f"at most {cap} cardholders", cap),
        "holder_document": Refusal(None, "该证件已登记", "the document is registered already"),
        "holder_real_name": Refusal(
            None,
            "实名持卡人须有姓名，不记名持卡人不得有姓名和证件",
            "a holder has a name, or is anonymous and has neither name nor document",
        ),
    }
