"""Dual control (K2): activation, destruction and export of a key and the unblocking of a SAM are asked for by one person and
decided by another within 24 hours; an approval carries them out in its own transaction, so that it happens at most once.

The constraints of `models/custody.py` refuse the same person, a late decision and a second one; this module gives them words.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.keys.custody import permissions, seam
from onecard.services.keys.custody.errors import REFUSALS, require_person
from onecard.services.keys.models.custody import REQUEST_LIFE, KeyRequest, RequestAction, RequestState
from onecard.services.keys.sams import stock
from onecard.services.operators.api import refusals


def ask(
    action: RequestAction,
    *,
    key_id: int | None = None,
    sam_no: int | None = None,
    parameters: dict[str, Any] | None = None,
    reason: str,
    actor: Actor,
    clock: Clock | None = None,
) -> KeyRequest:
    """Ask for something that takes two people. An export needs `parameters={"zone_key_id": …}`.

    Raises InvalidInput, NotFound, Forbidden, and RuleViolated (K2) where the same is waiting already.
    """
    require_person(actor, permissions.REQUEST)
    now = (clock or SystemClock()).now()
    if not reason.strip():
        raise InvalidInput("须填写事由", "a reason must be given")
    wanted = dict(parameters or {})
    _check_subject(action, key_id, sam_no, wanted)
    _expire(now)
    with refusals(REFUSALS):
        return KeyRequest.objects.create(
            action=action,
            key_id=key_id,
            sam_no=sam_no,
            parameters=wanted,
            reason=reason.strip()[:200],
            requested_by=actor.name,
            requested_at=now,
            expires_at=now + REQUEST_LIFE,
        )


def approve(request_id: int, *, actor: Actor, clock: Clock | None = None) -> KeyRequest:
    """Approve another person's request and carry it out. What it came to stands in `result`.

    Raises NotFound, Forbidden, RuleViolated (K2: own request, too late, decided already), and whatever the act itself refuses;
    then nothing has changed and the request still waits.
    """
    require_person(actor, permissions.APPROVE)
    now = (clock or SystemClock()).now()
    _expire(now)
    with refusals(REFUSALS):
        request = _waiting(request_id)
        _decide(
            request, RequestState.EXECUTED, actor, now
        )  # first: the database refuses the wrong person before anything is done
        both = Actor(f"{request.requested_by}+{actor.name}", frozenset({f"keys.{request.action}"}))
        request.result = _CARRY_OUT[RequestAction(request.action)](request, both)
        request.save(update_fields=["result"])
    return request


def refuse(request_id: int, *, actor: Actor, clock: Clock | None = None) -> KeyRequest:
    """Refuse another person's request. Raises as `approve`."""
    require_person(actor, permissions.APPROVE)
    now = (clock or SystemClock()).now()
    _expire(now)
    with refusals(REFUSALS):
        request = _waiting(request_id)
        _decide(request, RequestState.REFUSED, actor, now)
    return request


def withdraw(request_id: int, *, actor: Actor) -> KeyRequest:
    """Take one's own request back. Raises NotFound, RuleViolated, Forbidden for another's."""
    require_person(actor, permissions.REQUEST)
    with refusals(REFUSALS):
        request = _waiting(request_id)
        if request.requested_by.lower() != actor.name.lower():
            raise Forbidden("只能撤回自己的申请", "only one's own request can be withdrawn")
        request.state = RequestState.WITHDRAWN
        request.save(update_fields=["state"])
    return request


def requests(*, limit: int = 50, clock: Clock | None = None) -> list[KeyRequest]:
    """The newest requests, with those that have run out marked so."""
    _expire((clock or SystemClock()).now())
    return list(KeyRequest.objects.order_by("-id")[:limit])


def _expire(now: datetime) -> None:
    KeyRequest.objects.filter(state=RequestState.WAITING, expires_at__lte=now).update(state=RequestState.EXPIRED)


def _waiting(request_id: int) -> KeyRequest:
    request = KeyRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise NotFound(f"无此申请：{request_id}", f"no such request: {request_id}")
    if request.state == RequestState.EXPIRED:
        raise REFUSALS["key_request_in_time"].build()
    if request.state != RequestState.WAITING:
        raise REFUSALS["key_request_final"].build()
    return request


def _decide(request: KeyRequest, state: RequestState, actor: Actor, now: datetime) -> None:
    assert transaction.get_connection().in_atomic_block
    request.state, request.decided_by, request.decided_at = state, actor.name, now
    request.save(update_fields=["state", "decided_by", "decided_at"])


def _check_subject(action: RequestAction, key_id: int | None, sam_no: int | None, parameters: dict[str, Any]) -> None:
    if action == RequestAction.SAM_UNBLOCK:
        if sam_no is None or key_id is not None:
            raise InvalidInput("须给出 SAM 编号", "the number of a SAM must be given")
        stock.get_sam(sam_no)
        return
    if key_id is None or sam_no is not None:
        raise InvalidInput("须给出密钥编号", "the number of a key must be given")
    if action == RequestAction.EXPORT and not isinstance(parameters.get("zone_key_id"), int):
        raise InvalidInput("导出须给出区域密钥", "an export needs the number of a zone key")
    seam.check_parameters(parameters)
    seam.require_key(key_id)


def _activate(request: KeyRequest, both: Actor) -> dict[str, Any]:
    return seam.activate(request.key_id or 0, request.parameters, actor=both)


def _destroy(request: KeyRequest, both: Actor) -> dict[str, Any]:
    return seam.destroy(request.key_id or 0, actor=both)


def _export(request: KeyRequest, both: Actor) -> dict[str, Any]:
    return seam.export(request.key_id or 0, request.parameters, actor=both)


def _unblock(request: KeyRequest, both: Actor) -> dict[str, Any]:
    return {"state": str(stock.unblock_sam(request.sam_no or 0, actor=both))}


_CARRY_OUT: dict[RequestAction, Callable[[KeyRequest, Actor], dict[str, Any]]] = {
    RequestAction.ACTIVATE: _activate,
    RequestAction.DESTROY: _destroy,
    RequestAction.EXPORT: _export,
    RequestAction.SAM_UNBLOCK: _unblock,
}
