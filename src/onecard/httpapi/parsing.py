"""Reading what a call sends: whole numbers the database can hold, and no NUL in a text, whatever the operation asks for."""

import json
from typing import Any

from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict
from ninja.parser import Parser
from ninja.types import DictStrAny

from onecard.kernel.errors import InvalidInput

MOST = 2**63 - 1
_DIGITS = len(str(MOST))


class BoundedParser(Parser):
    """The parser of the API. Raises InvalidInput, naming the field."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        """A body of JSON."""
        body: DictStrAny = json.loads(request.body)
        check(body, "body")
        return body

    def parse_querydict(self, data: "MultiValueDict[str, Any]", list_fields: list[str], request: HttpRequest) -> DictStrAny:
        """A query, or a form."""
        found = super().parse_querydict(data, list_fields, request)
        check(found, "query")
        for name, value in found.items():
            if isinstance(value, str) and is_too_large(value):
                raise _too_large(f"query.{name}")
        return found


def check(value: Any, where: str) -> None:
    """Raises InvalidInput for a number or text in `value`, however deep, that no field can hold."""
    if isinstance(value, dict):
        for name, each in value.items():
            check(name, where)
            check(each, f"{where}.{name}")
    elif isinstance(value, list):
        for each in value:
            check(each, where)
    elif isinstance(value, str):
        if "\0" in value:
            raise InvalidInput(f"文本中有 NUL 字符（{where}）", f"a text has a NUL character ({where})")
    elif isinstance(value, int) and not -MOST <= value <= MOST:
        raise _too_large(where)


def is_too_large(text: str) -> bool:
    """Whether a text is a whole number that no field can hold."""
    return len(text) >= _DIGITS and text.isascii() and text.isdigit() and int(text[:4000]) > MOST


def _too_large(where: str) -> InvalidInput:
    return InvalidInput(f"数值过大（{where}）", f"the number is too large ({where})")
