"""Who is told of alarms: mail addresses and webhooks, of an operator or of all."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.devices.models.alarms import AlarmKind, AlarmRecipient, Channel, Severity
from onecard.services.devices.registry import mail, permissions, webhook
from onecard.services.devices.registry.errors import REFUSALS
from onecard.services.operators.api import refusals


@dataclass(frozen=True, slots=True)
class NewRecipient:
    """Somebody to tell; without an operator of everything."""

    name: str
    channel: str
    address: str
    operator_id: int | None = None
    severity: int = Severity.WARNING
    kinds: Sequence[str] = ()


def add_recipient(new: NewRecipient, *, actor: Actor) -> AlarmRecipient:
    """Raises InvalidInput (an address, a kind), Forbidden."""
    _require(actor, new.operator_id)
    if new.channel not in Channel.values or new.severity not in Severity.values or set(new.kinds) - set(AlarmKind.values):
        raise InvalidInput("不认识的方式、级别或类别", "no such channel, severity or kind")
    if not new.name.strip():
        raise InvalidInput("须填写名称", "a name is needed")
    address = mail.check_address(new.address) if new.channel == Channel.MAIL else webhook.check_url(new.address)
    with refusals(REFUSALS):
        return AlarmRecipient.objects.create(
            name=new.name.strip(),
            channel=new.channel,
            address=address,
            operator_id=new.operator_id,
            severity=new.severity,
            kinds=sorted(set(new.kinds)),
        )


def set_active(recipient_id: int, active: bool, *, actor: Actor) -> AlarmRecipient:
    """Tell somebody no more, or again. Raises NotFound, Forbidden."""
    with transaction.atomic():
        found = _find(recipient_id, actor)
        found.active, found.problem = active, "" if active else found.problem
        found.save(update_fields=["active", "problem"])
    return found


def change_key(recipient_id: int, *, actor: Actor, clock: Clock | None = None) -> str:
    """A new secret for a webhook; for a day messages are signed by the old one as well. Raises NotFound, Forbidden."""
    with transaction.atomic():
        found = _find(recipient_id, actor)
        found.key_generation, found.key_changed_at = found.key_generation + 1, (clock or SystemClock()).now()
        found.save(update_fields=["key_generation", "key_changed_at"])
    return webhook.secret_of(found.pk, found.key_generation)


def secret_for(recipient_id: int, *, actor: Actor) -> str:
    """The secret as the other side enters it. Raises NotFound, Forbidden."""
    with transaction.atomic():
        found = _find(recipient_id, actor)
    return webhook.secret_of(found.pk, found.key_generation)


def _find(recipient_id: int, actor: Actor) -> AlarmRecipient:
    found = AlarmRecipient.objects.select_for_update().filter(pk=recipient_id).first()
    hidden = found is not None and actor.operators is not None and found.operator_id not in actor.operators
    if found is None or hidden:
        raise NotFound(f"无此接收方：{recipient_id}", f"no such recipient: {recipient_id}")
    _require(actor, found.operator_id)
    return found


def _require(actor: Actor, operator_id: int | None) -> None:
    actor.require(permissions.RULES, operator_id)
    if operator_id is None and actor.operators is not None:
        raise Forbidden(f"{actor.name} 只能管理所属运营单位", f"{actor.name} is bound to some operators")
