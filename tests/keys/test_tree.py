"""The key tree (K1): versions, overlap, levels, states, and what the database refuses by itself."""

import os
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from onecard.kernel.clock import ManualClock
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.protocol.purse.ciphers import Algorithm, check_value
from onecard.protocol.purse.diversify import area_factor, diversify_path
from onecard.services.actors import Actor
from onecard.services.keys import api
from onecard.services.keys.api import KeyAlgorithm, KeyUse, Level, TacVerdict
from onecard.services.keys.models import Key, KeySet
from tests.keys.conftest import ADMIN
from tests.keys.support import CARD, OPERATOR, batch, bring_in, chip_tac, purchase
from tests.support.postgres import TestDatabase

OK, WRONG, NO_KEY = TacVerdict


def test_an_old_version_is_accepted_within_its_overlap_and_not_after_it(vault: api.Vault, clock: ManualClock) -> None:
    old, new = os.urandom(16), os.urandom(16)
    first, second = bring_in(vault, KeyUse.TAC, old), bring_in(vault, KeyUse.TAC, new, active=False)
    data = purchase()
    before = batch((CARD, data, chip_tac(old, data)), version=first.version)
    after = batch((CARD, data, chip_tac(new, data)), version=second.version)
    assert (vault.verify_tacs(before), vault.verify_tacs(after)) == ([OK], [NO_KEY])
    vault.activate(second.key_id, overlap=timedelta(days=30), actor=ADMIN)
    assert (vault.verify_tacs(before), vault.verify_tacs(after)) == ([OK], [OK])
    clock.advance(timedelta(days=30, microseconds=-1))
    assert vault.verify_tacs(before) == [OK]
    clock.advance(timedelta(microseconds=1))
    assert (vault.verify_tacs(before), vault.verify_tacs(after)) == ([NO_KEY], [OK])
    states = {key.key_id: key.state for key in vault.status()}
    assert (states[first.key_id], states[second.key_id]) == ("retired", "active")


def test_an_activation_without_overlap_ends_the_old_version_at_once(vault: api.Vault) -> None:
    old = os.urandom(16)
    first, data = bring_in(vault, KeyUse.TAC, old), purchase()
    vault.activate(vault.rotate(KeyUse.TAC, actor=ADMIN).key_id, overlap=timedelta(0), actor=ADMIN)
    assert vault.verify_tacs(batch((CARD, data, chip_tac(old, data)), version=first.version)) == [NO_KEY]


def test_a_retired_key_is_accepted_no_longer(vault: api.Vault) -> None:
    root, data = os.urandom(16), purchase()
    made = bring_in(vault, KeyUse.TAC, root)
    right = batch((CARD, data, chip_tac(root, data)), version=made.version)
    assert vault.verify_tacs(right) == [OK]
    vault.retire(made.key_id, actor=ADMIN)
    assert vault.verify_tacs(right) == [NO_KEY]
    with pytest.raises(RuleViolated):
        vault.activate(made.key_id, actor=ADMIN)


def test_both_algorithms_stand_side_by_side(vault: api.Vault) -> None:
    des, sm4, data = os.urandom(16), os.urandom(16), purchase()
    one = bring_in(vault, KeyUse.TAC, des)
    other = bring_in(vault, KeyUse.TAC, sm4, algorithm=KeyAlgorithm.SM4)
    assert (one.version, other.version) == (2, 1)  # each algorithm counts its own
    mixed = api.TacBatch(
        [OPERATOR] * 4,
        [CARD] * 4,
        [2, 1, 1, 2],
        [0, 4, 4, 1],
        [data] * 4,
        [chip_tac(des, data), chip_tac(sm4, data, algorithm=Algorithm.SM4), chip_tac(des, data), 1],
        [7] * 4,
    )
    assert vault.verify_tacs(mixed) == [OK, OK, WRONG, NO_KEY]


def test_one_level_is_a_setting_of_the_key_set(vault: api.Vault) -> None:
    root, data = os.urandom(16), purchase()
    made = bring_in(vault, KeyUse.TAC, root)
    one, two = ((CARD, data, chip_tac(root, data, levels=levels)) for levels in (1, 2))
    assert vault.verify_tacs(batch(one, two, version=made.version)) == [WRONG, OK]
    KeySet.objects.update(levels=1)
    assert vault.verify_tacs(batch(one, two, version=made.version)) == [OK, WRONG]


def test_an_operators_own_row_decides_for_its_cards(vault: api.Vault) -> None:
    root, data = os.urandom(16), purchase()
    made = bring_in(vault, KeyUse.TAC, root)
    right = batch((CARD, data, chip_tac(root, data)), version=made.version)
    below = vault.derive_level(made.key_id, Level.OPERATOR, OPERATOR, actor=ADMIN)
    key = diversify_path(Algorithm.DES3, root, [area_factor(OPERATOR)])
    assert (below.kcv, below.state) == (check_value(Algorithm.DES3, key).hex().upper(), "pending")
    assert vault.verify_tacs(right) == [NO_KEY]
    vault.activate(below.key_id, actor=ADMIN)
    assert vault.verify_tacs(right) == [OK]
    vault.retire(made.key_id, actor=ADMIN)
    assert vault.verify_tacs(right) == [NO_KEY]


def test_an_operator_may_have_a_key_that_is_not_derived(vault: api.Vault) -> None:
    own = vault.rotate(KeyUse.TAC, level=Level.OPERATOR, owner=OPERATOR, actor=ADMIN)
    vault.activate(own.key_id, actor=ADMIN)
    data = purchase()
    assert vault.verify_tacs(batch((CARD, data, 1), version=own.version)) == [WRONG]
    assert {key.count for key in vault.status() if key.key_id == own.key_id} == {1}


def test_destroying_a_key_takes_its_bytes_and_everything_below_it(vault: api.Vault) -> None:
    root, data = os.urandom(16), purchase()
    made = bring_in(vault, KeyUse.TAC, root)
    below = vault.derive_level(made.key_id, Level.OPERATOR, OPERATOR, actor=ADMIN)
    vault.activate(below.key_id, actor=ADMIN)
    with pytest.raises(RuleViolated):
        vault.destroy(made.key_id, actor=ADMIN)
    vault.retire(made.key_id, actor=ADMIN)
    assert vault.destroy(made.key_id, actor=ADMIN).state == "destroyed"
    assert Key.objects.get(pk=made.key_id).blob is None
    assert vault.get_key(below.key_id).state == "destroyed"
    assert vault.verify_tacs(batch((CARD, data, chip_tac(root, data)), version=made.version)) == [NO_KEY]
    with pytest.raises(RuleViolated):
        vault.activate(made.key_id, actor=ADMIN)


def test_versions_count_up_to_255_and_are_never_taken_twice(vault: api.Vault) -> None:
    assert vault.rotate(KeyUse.LOAD, actor=ADMIN).version == 2
    with pytest.raises(RuleViolated):
        vault.rotate(KeyUse.LOAD, version=2, actor=ADMIN)
    assert vault.rotate(KeyUse.LOAD, version=255, actor=ADMIN).version == 255
    with pytest.raises(RuleViolated):
        vault.rotate(KeyUse.LOAD, actor=ADMIN)


def test_what_does_not_fit_is_refused(vault: api.Vault) -> None:
    with pytest.raises(InvalidInput):
        vault.rotate(KeyUse.PAY_CODE, algorithm=KeyAlgorithm.DES3, actor=ADMIN)
    with pytest.raises(InvalidInput):
        vault.rotate(KeyUse.TAC, level=Level.OPERATOR, actor=ADMIN)
    with pytest.raises(NotFound):
        vault.activate(99999, actor=ADMIN)
    with pytest.raises(NotFound):
        vault.get_key(99999)


@pytest.mark.parametrize("permission", ["rotate", "activate", "destroy", "export"])
def test_every_change_needs_its_permission(vault: api.Vault, permission: str) -> None:
    others = {"keys.rotate", "keys.activate", "keys.destroy", "keys.export"} - {f"keys.{permission}"}
    actor = Actor("somebody", frozenset(others))
    key_id = vault.rotate(KeyUse.TAC, actor=ADMIN).key_id
    before = [(key.key_id, key.state) for key in vault.status()]
    work: dict[str, Callable[[], object]] = {
        "rotate": lambda: vault.rotate(KeyUse.TAC, actor=actor),
        "activate": lambda: vault.activate(key_id, actor=actor),
        "destroy": lambda: vault.destroy(key_id, actor=actor),
        "export": lambda: vault.export(key_id, zone_key_id=key_id, actor=actor),
    }
    with pytest.raises(Forbidden):
        work[permission]()
    assert [(key.key_id, key.state) for key in vault.status()] == before


def test_export_gives_the_key_under_the_zone_key_only(vault: api.Vault) -> None:
    zone, root = os.urandom(16), os.urandom(16)
    over, key = bring_in(vault, KeyUse.EXPORT, zone), bring_in(vault, KeyUse.PURCHASE, root)
    made = vault.export(key.key_id, zone_key_id=over.key_id, actor=ADMIN)
    from onecard.protocol.purse.ciphers import decrypt_ecb

    assert decrypt_ecb(Algorithm.DES3, zone, made.cryptogram) == root
    assert (made.kcv, made.zone_kcv) == (key.kcv, over.kcv)
    with pytest.raises(api.KeyMissing):
        vault.export(over.key_id, zone_key_id=key.key_id, actor=ADMIN)
    kept = vault.rotate(KeyUse.LOAD, actor=ADMIN)
    with pytest.raises(api.KeyNotExportable):
        vault.export(kept.key_id, zone_key_id=over.key_id, actor=ADMIN)


def test_the_database_refuses_what_a_program_should_not_do(vault: api.Vault, database: TestDatabase) -> None:
    tac = next(key for key in vault.status() if key.use is KeyUse.TAC and key.algorithm is KeyAlgorithm.DES3)
    second = vault.rotate(KeyUse.TAC, actor=ADMIN)
    refused = {
        "key_one_active": f"UPDATE keys_key SET state = 'active' WHERE id = {second.key_id}",
        "key_identity": f"UPDATE keys_key SET version = 9 WHERE id = {tac.key_id}",
        "key_identity ": f"UPDATE keys_key SET blob = '\\x00' WHERE id = {tac.key_id}",
        "key_transition": f"UPDATE keys_key SET state = 'pending' WHERE id = {tac.key_id}",
        "key_transition ": f"UPDATE keys_key SET state = 'destroyed', blob = NULL WHERE id = {tac.key_id}",
        "key_material": f"UPDATE keys_key SET state = 'destroyed' WHERE id = {second.key_id}",
        "keys_stay": f"DELETE FROM keys_key WHERE id = {second.key_id}",
        "keys_stay ": "DELETE FROM keys_vaultheader",
    }
    for name, statement in refused.items():
        with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert isinstance(caught.value.__cause__, psycopg.Error)
        assert caught.value.__cause__.diag.constraint_name == name.strip()
