"""Calls that may be sent again: the same Idempotency-Key gets the first answer, and the act happens once (N2).

The key, the act and the answer are one transaction: a second call with the key waits for the first at the unique index. The same
key with other content is refused.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from ninja import Header, Schema
from ninja.utils import contribute_operation_args

from onecard.httpapi.models import Answered
from onecard.kernel.errors import Forbidden, RuleViolated
from onecard.services.actors import Actor

KEPT = timedelta(days=7)
"""How long an answer is given again; a workstation that was cut off asks within minutes."""


@dataclass(frozen=True, slots=True)
class _Asked(Actor):
    """An actor that remembers which permissions it was asked for, by REST and by the services behind it."""

    asked: set[tuple[str, int | None]] = field(default_factory=set, compare=False, repr=False)

    def may(self, permission: str, operator_id: int | None = None) -> bool:
        """As any actor; what it may is remembered."""
        found = Actor.may(self, permission, operator_id)
        if found:
            self.asked.add((permission, operator_id))
        return found


def once(answer: type[Schema]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An operation that takes an Idempotency-Key; `answer` is its response schema. Stands below the router's decorator.

    A refusal is not kept: the same key may then be tried again. Raises Forbidden for a kept answer where a permission that
    the call needed is gone, and RuleViolated (N2) for a key used for another.
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
                    return _again(who, idempotency_key, call=call, content=content)
                asked = _Asked(who.name, who.permissions, who.operators)
                request.auth = asked  # type: ignore[attr-defined]
                said = answer.model_validate(operation(request, *args, **values), from_attributes=True).model_dump(mode="json")
                row.answer, row.asked = said, sorted(asked.asked, key=str)
                row.operators = None if who.operators is None else sorted(who.operators)
                row.save(update_fields=["answer", "asked", "operators"])
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


def _again(who: Actor, key: str, *, call: str, content: bytes) -> Any:
    first = Answered.objects.get(actor=who.name, key=key)
    if first.call != call or bytes(first.content) != content:
        other = "call" if first.call != call else "content"
        raise RuleViolated(
            f"该 Idempotency-Key 已用于另一请求（{first.call}）",
            f"the Idempotency-Key was used before with another {other} ({first.call})",
            rule="N2",
        )
    if first.asked is None:  # kept before permissions were
        raise Forbidden("该请求已办理；其应答不再提供", "the call was carried out; its answer is not given again")
    for permission, operator_id in first.asked:
        who.require(permission, operator_id)
    if who.operators is not None and not (first.operators is not None and set(first.operators) <= who.operators):
        raise Forbidden("所限定的运营单位已改变", "the operators one is bound to have changed")
    return first.answer
