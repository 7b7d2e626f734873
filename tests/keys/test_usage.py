"""The log of key uses: one chain whatever happens around it, counters, alarms."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction

from onecard.kernel.clock import ManualClock
from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.keys import api
from onecard.services.keys.api import CardRef, KeyUse
from onecard.services.keys.models import KeyCount, Usage
from tests.keys.conftest import ADMIN
from tests.keys.support import CARD, batch, bring_in, chip_tac, purchase
from tests.support.postgres import TestDatabase


def _keys_of(link: Usage) -> dict[int, int]:
    return {int(pair.split(":")[0]): int(pair.split(":")[1]) for pair in link.keys.split()}


def test_every_call_is_one_link_with_its_count(vault: api.Vault) -> None:
    before, _ = api.usage_head()
    data, version = purchase(), bring_in(vault, KeyUse.TAC, os.urandom(16)).version
    vault.verify_tacs(batch(*[(CARD + number, data, 1) for number in range(50)], version=version, sam=9))
    keys = vault.open_personalisation(CardRef(44030000, CARD))
    keys.mac(b"\x04\xd6\x95\x00", b"x", challenge=bytes(4), under="app_maintenance", initial=False)
    newest = api.usages(limit=2)
    assert [(link.operation, link.subject, link.count, link.failed) for link in newest] == [
        ("card.mac", f"card {CARD}", 1, 0),
        ("tac.verify", "", 50, 50),
    ]
    assert api.usage_head()[0] > before
    assert api.verify_usage_chain().is_whole


def test_counters_are_the_sums_of_the_chain(vault: api.Vault) -> None:
    data = purchase()
    for size in (3, 1, 4):
        vault.verify_tacs(batch(*[(CARD, data, 1)] * size))
    sums: dict[int, int] = {}
    for link in Usage.objects.all():
        for key_id, count in _keys_of(link).items():
            sums[key_id] = sums.get(key_id, 0) + count
    assert sums == dict(KeyCount.objects.values_list("key_id", "count"))


def test_a_use_stays_written_down_when_the_caller_rolls_back(vault: api.Vault) -> None:
    before, _ = api.usage_head()
    with pytest.raises(RuntimeError), transaction.atomic():
        vault.sign_pay_code(b"code")
        raise RuntimeError
    assert api.usage_head()[0] == before + 1


def test_concurrent_processes_make_one_chain(vault: api.Vault, home: object) -> None:
    """Each thread with a vault, a connection and a keeper of its own, as processes have them."""
    before, _ = api.usage_head()

    def work(number: int) -> None:
        own = api.open_vault(clock=ManualClock(vault.clock.now() + timedelta(seconds=number)))
        try:
            for _ in range(20):
                own.verify_tacs(batch((CARD, purchase(), 1), sam=number + 1))
        finally:
            own.close()
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    report = api.verify_usage_chain()
    assert report.is_whole
    assert report.links == before + 80
    assert report.head == api.usage_head()[1]


def test_the_chain_and_its_head_cannot_be_changed_by_the_application(vault: api.Vault) -> None:
    vault.sign_pay_code(b"code")
    for statement in (
        "UPDATE keys_usage SET count = 0",
        "DELETE FROM keys_usage",
        "TRUNCATE keys_usage",
        "UPDATE keys_usagehead SET seq = 0",
        "DELETE FROM keys_usagehead",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert api.verify_usage_chain().is_whole


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE keys_usage SET actor = 'nobody' WHERE seq = 3", "changed"),
        ("DELETE FROM keys_usage WHERE seq = 3", "missing"),
        ("DELETE FROM keys_usage WHERE seq = (SELECT max(seq) FROM keys_usage)", "head"),
        ("UPDATE keys_usage SET subject = 'a', keys = 'b' WHERE seq = 3", "changed"),
    ],
)
def test_a_change_by_the_owner_of_the_database_shows(
    vault: api.Vault, database: TestDatabase, statement: str, reason: str
) -> None:
    vault.sign_pay_code(b"code")
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")  # triggers off
        admin.execute(statement.encode())
    report = api.verify_usage_chain()
    assert (report.is_whole, report.reason) == (False, reason)
    assert report.broken_at == (3 if reason != "head" else report.links + 1)


def test_too_many_verifications_of_a_module_in_an_hour_raise_one_alarm(vault: api.Vault, clock: ManualClock) -> None:
    root, data = os.urandom(16), purchase()
    version = bring_in(vault, KeyUse.TAC, root).version
    api.set_alarm_rule(per_hour=10, times_mean=0, wrong_per_hour=0, actor=ADMIN)
    rows = [(CARD, data, chip_tac(root, data))]
    vault.verify_tacs(batch(*rows * 10, version=version, sam=5))
    assert api.alarms() == []
    vault.verify_tacs(batch(*rows, version=version, sam=5))
    vault.verify_tacs(batch(*rows, version=version, sam=5))
    (alarm,) = api.alarms()
    assert (alarm.sam_no, alarm.kind, alarm.count, alarm.allowed) == (5, "hourly", 12, 10)
    done = api.acknowledge_alarm(alarm.pk, actor=ADMIN)
    assert (done.acknowledged_by, api.alarms(), len(api.alarms(open_only=False))) == ("admin", [], 1)
    clock.advance(timedelta(hours=1))
    vault.verify_tacs(batch(*rows * 10, version=version, sam=5))
    assert api.alarms() == []


def test_a_rate_far_above_the_own_mean_raises_an_alarm(vault: api.Vault, clock: ManualClock) -> None:
    data = purchase()
    api.set_alarm_rule(per_hour=0, times_mean=5, least=8, wrong_per_hour=0, actor=ADMIN)
    vault.verify_tacs(batch(*[(CARD, data, 1)] * 40, sam=5))
    assert api.alarms() == []  # no history yet: nothing is unusual
    for _ in range(48):
        clock.advance(timedelta(hours=1))
        vault.verify_tacs(batch(*[(CARD, data, 1)] * 2, sam=5))
    clock.advance(timedelta(hours=1))  # mean of 49 hours: 136 / 49 = 2.8, so 14 an hour are usual
    vault.verify_tacs(batch(*[(CARD, data, 1)] * 13, sam=5))
    assert api.alarms() == []
    vault.verify_tacs(batch(*[(CARD, data, 1)] * 2, sam=5))
    (alarm,) = api.alarms()
    assert (alarm.kind, alarm.count, alarm.allowed) == ("unusual", 15, 14)
    hours = api.sam_hours(5, since=clock.now() - timedelta(days=8))
    assert (len(hours), hours[0].count, hours[-1].count) == (50, 40, 15)
    clock.advance(timedelta(days=9))
    assert api.prune_sam_hours(clock=clock) == 50


def test_many_wrong_proofs_of_a_module_raise_an_alarm(vault: api.Vault) -> None:
    api.set_alarm_rule(wrong_per_hour=3, actor=ADMIN)
    vault.verify_tacs(batch(*[(CARD, purchase(), 1)] * 4, sam=5))
    assert [(alarm.kind, alarm.count) for alarm in api.alarms()] == [("wrong", 4)]


def test_records_without_a_module_raise_none(vault: api.Vault) -> None:
    api.set_alarm_rule(per_hour=1, wrong_per_hour=1, actor=ADMIN)
    vault.verify_tacs(batch(*[(CARD, purchase(), 1)] * 4, sam=0))
    assert api.alarms() == []


def test_alarms_and_rules_that_are_none_are_refused(vault: api.Vault) -> None:
    with pytest.raises(NotFound):
        api.acknowledge_alarm(1, actor=ADMIN)
    with pytest.raises(InvalidInput):
        api.set_alarm_rule(per_hour=-1, actor=ADMIN)
