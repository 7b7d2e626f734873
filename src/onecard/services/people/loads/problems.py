"""What can be wrong with a row, as codes that stand beside it until the report is read. Never a cell's content."""

from enum import StrEnum

from onecard.kernel.codes import Text


class Fault(StrEnum):
    """Why a row cannot be loaded."""

    MISSING = "missing"
    TOO_LONG = "too_long"
    CHARACTERS = "characters"
    FORMULA = "formula"
    NUMBER_FORMAT = "number_format"
    UNKNOWN = "unknown"
    DOCUMENT_FORM = "document_form"
    DOCUMENT_CHECK = "document_check"
    DOCUMENT_BIRTHDAY = "document_birthday"
    PHONE = "phone"
    AMOUNT = "amount"
    OVER_LIMIT = "over_limit"
    NO_UNIT = "no_unit"
    NO_PUBLIC_PURSE = "no_public_purse"
    TWICE_IN_FILE = "twice_in_file"
    ON_PLATFORM = "on_platform"
    OVER_CAP = "over_cap"


FAULT_TEXT: dict[Fault, Text] = {
    Fault.MISSING: Text("未填写", "is missing"),
    Fault.TOO_LONG: Text("太长", "is too long"),
    Fault.CHARACTERS: Text("含不可用的字符", "has characters that cannot be used"),
    Fault.FORMULA: Text("是公式或以公式符号开头", "is a formula or begins like one"),
    Fault.NUMBER_FORMAT: Text("单元格为数字格式，位数已丢失：请改为文本", "is a number that lost digits: make the cells text"),
    Fault.UNKNOWN: Text("没有此项", "is not known"),
    Fault.DOCUMENT_FORM: Text("证件号格式不对", "has another form than this kind of document"),
    Fault.DOCUMENT_CHECK: Text("身份证校验位不对", "has a wrong check digit"),
    Fault.DOCUMENT_BIRTHDAY: Text("身份证中的出生日期不存在", "has a date of birth that does not exist"),
    Fault.PHONE: Text("不是电话号码", "is not a telephone number"),
    Fault.AMOUNT: Text("不是金额（元，最多两位小数，不为负）", "is not an amount (yuan, two decimals, not negative)"),
    Fault.OVER_LIMIT: Text("超过卡种或法定余额上限", "is over the card type's or the legal balance limit"),
    Fault.NO_UNIT: Text("须有接入单位", "needs a unit"),
    Fault.NO_PUBLIC_PURSE: Text("独立结算的运营单位没有公共钱包", "needs a unified operator"),
    Fault.TWICE_IN_FILE: Text("与文件中另一行重复", "stands in another row of the file"),
    Fault.ON_PLATFORM: Text("平台上已有", "is on the platform already"),
    Fault.OVER_CAP: Text("超过运营单位的持卡人上限（O2）", "is beyond the operator's cap on cardholders (O2)"),
}
_SEPARATOR = ":"


def note(field: str, fault: Fault) -> str:
    """How a problem is kept beside its row."""
    return f"{field}{_SEPARATOR}{fault.value}"


def read_note(text: str) -> tuple[str, Fault]:
    """Field and fault of a note."""
    field, _, fault = text.partition(_SEPARATOR)
    return field, Fault(fault)
