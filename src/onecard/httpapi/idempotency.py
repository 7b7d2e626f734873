"""Calls that may be sent again: the same Idempotency-Key gets the first answer, and the act happens once (N2).

The key, the act and the answer are one transaction: a second call with the key waits for the first at the unique index. The same
key with other content is refused.
"""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Schema
from ninja.utils import contribute_operation_args

from onecard.httpapi.models import Answered
from onecard.kernel.errors import RuleViolated
from onecard.services.actors import Actor

KEPT = timedelta(days=7)
"""How long an answer is given again; a workstation that was cut off asks within minutes."""


def once(answer: type[Schema]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An operation that takes an Idempotency-Key; `answer` is its response schema. Stands below the router's decorator.

    A refusal is not kept: the same key may then be tried again. Raises RuleViolated (N2) for a key used for another.
    """

    def decorate(operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        def run(request: HttpRequest, *args: Any, idempotency_key: str, **values: Any) -> Any:
            who: Any = getattr(request, "auth", None)
            assert isinstance(who, Actor), "every operation is behind auth"
            call, content = f"{request.method} {request.path}"[:200], hashlib.sha256(request.body).digest()
            with transaction.atomic():
                Answered.objects.filter(actor=who.name, created_at__lt=timezone.now() - KEPT).delete()
                row = _begin(who.name, idempotency_key, call=call, content=content)
                if row is None:
                    return _again(who.name, idempotency_key, call=call, content=content)
                said = answer.model_validate(operation(request, *args, **values), from_attributes=True).model_dump(mode="json")
                row.answer = said
                row.save(update_fields=["answer"])
            return said

        about = "8 to 64 characters, new for each act; a repeated call keeps its own / 每次操作一个新值，重发时不变"
        header: Any = Header  # a function to the type checker, a generic class to ninja
        source = header(..., alias="Idempotency-Key", min_length=8, max_length=64, description=about)
        contribute_operation_args(run, "idempotency_key", str, source)
        return run

    return decorate


def _begin(actor: str, key: str, *, call: str, content: bytes) -> Answered | None:
    try:
        with transaction.atomic():
            return Answered.objects.create(actor=actor, key=key, call=call, content=content)
    except IntegrityError:
        return None


def _again(actor: str, key: str, *, call: str, content: bytes) -> Any:
    first = Answered.objects.get(actor=actor, key=key)
    if first.call != call or bytes(first.content) != content:
        other = "call" if first.call != call else "content"
        raise RuleViolated(
            f"该 Idempotency-Key 已用于另一请求（{first.call}）",
            f"the Idempotency-Key was used before with another {other} ({first.call})",
            rule="N2",
        )
    return first.answer
