"""What may stand in a parameter, and reading what somebody typed."""

from collections.abc import Mapping
from typing import Any

from onecard.kernel.errors import InvalidInput
from onecard.protocol import parameters
from onecard.services.devices.models.templates import Parameter, ParameterKind

_TRUE, _FALSE = {"true", "1", "yes", "是"}, {"false", "0", "no", "否"}


def check_value(parameter: Parameter, value: Any) -> Any:
    """The value as it is stored. Raises InvalidInput, naming the parameter and what is allowed."""
    _check_shape(parameter, value)
    whose = f"参数 {parameter.key}（{parameter.title_zh}）的值不合要求", f"the value of {parameter.key} is not allowed"
    with parameters.naming(*whose):
        parameters.check_value(parameter.key, value)  # what devices would refuse is not published to them
    return value


def _check_shape(parameter: Parameter, value: Any) -> None:
    kind = parameter.kind
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if (
        (kind == ParameterKind.BOOLEAN and isinstance(value, bool))
        or (kind == ParameterKind.INTEGER and is_number and _within(parameter, value))
        or (kind == ParameterKind.TEXT and isinstance(value, str) and value.isprintable() and _within(parameter, len(value)))
        or (kind == ParameterKind.CHOICE and value in parameter.choices)
    ):
        return
    raise InvalidInput(
        f"参数 {parameter.key}（{parameter.title_zh}）的值不合要求：{allowed(parameter)[0]}",
        f"the value of {parameter.key} ({parameter.title_en}) is not allowed: {allowed(parameter)[1]}",
    )


def parse_value(parameter: Parameter, text: str) -> Any:
    """A typed text as a value. Raises InvalidInput."""
    text = text.strip()
    if parameter.kind == ParameterKind.INTEGER:
        digits = text.removeprefix("-")
        ok = digits.isascii() and digits.isdecimal() and len(digits) <= 18
        return check_value(parameter, int(text) if ok else None)
    if parameter.kind == ParameterKind.BOOLEAN:
        word = text.lower()
        return check_value(parameter, True if word in _TRUE else False if word in _FALSE else None)
    return check_value(parameter, text)


def check_values(values: Mapping[str, Any], known: Mapping[str, Parameter]) -> dict[str, Any]:
    """All of a template's values; those that are None are left out. Raises InvalidInput."""
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise InvalidInput(f"无此参数：{'、'.join(unknown)}", f"no such parameter: {', '.join(unknown)}")
    return {key: check_value(known[key], value) for key, value in sorted(values.items()) if value is not None}


def allowed(parameter: Parameter) -> tuple[str, str]:
    """What may stand in it, in both languages."""
    least, most = ("" if parameter.least is None else parameter.least), ("" if parameter.most is None else parameter.most)
    if parameter.kind == ParameterKind.INTEGER:
        return f"整数 {least}–{most}", f"a whole number {least}–{most}"
    if parameter.kind == ParameterKind.TEXT:
        return f"{least}–{most} 个字符", f"{least}–{most} characters"
    if parameter.kind == ParameterKind.CHOICE:
        return "、".join(parameter.choices), ", ".join(parameter.choices)
    return "是或否", "yes or no"


def _within(parameter: Parameter, number: int) -> bool:
    return (parameter.least is None or number >= parameter.least) and (parameter.most is None or number <= parameter.most)
