"""Activation, export and destruction of a key by two people: carried out by the vault, both names in its log of uses."""

from datetime import timedelta

import pytest

from onecard.kernel.errors import Forbidden, InvalidInput, RuleViolated
from onecard.protocol.purse.ciphers import Algorithm, decrypt_ecb
from onecard.services.actors import Actor
from onecard.services.keys.api import KeyNotExportable, KeyUse, Vault
from onecard.services.keys.custody import permissions, requests
from onecard.services.keys.custody.components import Scheme, split
from onecard.services.keys.models import Key, Usage
from onecard.services.keys.models.custody import KeyRequest, RequestAction, RequestState

SYSTEM = Actor.system("test")
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
ZONE = bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def bring_in(vault: Vault, use: KeyUse, value: bytes, *, exportable: bool = True) -> int:
    scheme = Scheme(2, 2)
    parts = [vault.seal_component(part, context="test", algorithm=Algorithm.DES3) for part in split(scheme, value)]
    return vault.combine_components(use, scheme, parts, exportable=exportable, actor=SYSTEM).key_id


def ask_and_approve(action: RequestAction, key_id: int, chen: Actor, zhao: Actor, **parameters: int) -> KeyRequest:
    asked = requests.ask(action, key_id=key_id, parameters=dict(parameters), reason="test", actor=chen)
    return requests.approve(asked.pk, actor=zhao)


def test_a_key_leaves_under_a_zone_key_only_and_by_two_people(vault: Vault, chen: Actor, zhao: Actor) -> None:
    key, zone = bring_in(vault, KeyUse.PURCHASE, KEY), bring_in(vault, KeyUse.EXPORT, ZONE)
    ask_and_approve(RequestAction.ACTIVATE, zone, chen, zhao)
    done = ask_and_approve(RequestAction.EXPORT, key, chen, zhao, zone_key_id=zone)
    assert done.result["kcv"] == "08D7B4"
    assert decrypt_ecb(Algorithm.DES3, ZONE, bytes.fromhex(done.result["cryptogram"])) == KEY
    line = Usage.objects.get(operation="key.export")
    assert line.actor.startswith("chen+zhao ")
    assert KEY.hex().upper() not in str(done.result)


def test_what_may_not_leave_stays_and_the_request_waits(vault: Vault, chen: Actor, zhao: Actor) -> None:
    key = bring_in(vault, KeyUse.LOAD, KEY, exportable=False)
    zone = bring_in(vault, KeyUse.EXPORT, ZONE)
    ask_and_approve(RequestAction.ACTIVATE, zone, chen, zhao)
    with pytest.raises(KeyNotExportable):
        ask_and_approve(RequestAction.EXPORT, key, chen, zhao, zone_key_id=zone)
    assert KeyRequest.objects.get(action="export").state == RequestState.WAITING
    with pytest.raises(InvalidInput, match="zone key"):
        requests.ask(RequestAction.EXPORT, key_id=zone, reason="x", actor=chen)


def test_a_new_version_is_activated_with_its_overlap_and_the_old_one_destroyed(vault: Vault, chen: Actor, zhao: Actor) -> None:
    first = vault.rotate(KeyUse.TAC, actor=SYSTEM).key_id
    ask_and_approve(RequestAction.ACTIVATE, first, chen, zhao)
    second = vault.rotate(KeyUse.TAC, actor=SYSTEM).key_id
    ask_and_approve(RequestAction.ACTIVATE, second, chen, zhao, overlap_days=30)
    old, new = Key.objects.get(pk=first), Key.objects.get(pk=second)
    assert (old.state, new.state) == ("retiring", "active")
    assert old.retiring_until is not None and new.activated_at is not None
    assert old.retiring_until - new.activated_at == timedelta(days=30)
    with pytest.raises(RuleViolated, match="K1"):
        ask_and_approve(RequestAction.DESTROY, second, chen, zhao)
    done = ask_and_approve(RequestAction.DESTROY, first, chen, zhao)
    assert done.result["state"] == "destroyed"
    old.refresh_from_db()
    assert (old.state, old.blob) == ("destroyed", None)
    with pytest.raises(InvalidInput, match="3650"):
        requests.ask(RequestAction.ACTIVATE, key_id=second, parameters={"overlap_days": -1}, reason="x", actor=chen)


def test_nobody_carries_what_takes_two(vault: Vault, chen: Actor) -> None:
    """Not even all permissions of custody reach the vault's own acts past a request."""
    key = vault.rotate(KeyUse.TAC, actor=SYSTEM).key_id
    assert not permissions.BY_NOBODY & chen.permissions
    with pytest.raises(Forbidden):
        vault.activate(key, actor=chen)
    with pytest.raises(Forbidden):
        vault.destroy(key, actor=chen)
    with pytest.raises(Forbidden):
        vault.export(key, zone_key_id=key, actor=chen)
