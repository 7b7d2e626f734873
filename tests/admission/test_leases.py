"""Leases: terms that follow unit and settings, serials that rise when something changed, signatures the root alone proves."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import Forbidden, InvalidInput
from onecard.protocol.lease import Lease, Step
from onecard.services.actors import Actor
from onecard.services.devices import api
from onecard.services.devices.models import LeaseKey, LineLease
from onecard.services.operators import api as operators
from onecard.services.operators.models import Unit
from tests.admission.conftest import ADMIN
from tests.services.conftest import NOW, UNTIL, Tree
from tests.support.postgres import TestDatabase

HOURS = {"renew_hours": 6, "warn_hours": 24, "no_new_cards_hours": 72, "no_sales_hours": 168, "stop_hours": 336}


@pytest.fixture
def line(tree: Tree, clock) -> int:
    made = api.create_line(api.NewLine("食堂", kind="front_end", unit_id=tree.unit))
    api.enrol(made, api.build_request()[1], clock=clock)
    return made


def opened(line: int, now=NOW) -> Lease:
    signed = api.issue_lease(line, now=now)
    assert signed is not None
    return signed.open(api.authority().pem, line_id=line)


def after(hours: float) -> int:
    return to_epoch_us(NOW + timedelta(hours=hours))


def test_a_lease_runs_out_in_steps_since_it_was_issued(tree: Tree, line: int) -> None:
    lease = opened(line)
    assert (lease.line_id, lease.unit_id, lease.serial, lease.issued_at_us) == (line, tree.unit, 1, to_epoch_us(NOW))
    steps = {0: Step.OK, 24: Step.WARNING, 72: Step.NO_NEW_CARDS, 168: Step.NO_SALES, 336: Step.STOP}
    assert {hours: lease.step_at(after(hours)) for hours in steps} == steps


def test_no_lease_outlives_the_validity_of_its_unit_and_the_end_is_announced(tree: Tree, line: int) -> None:
    until = NOW + timedelta(hours=100)
    Unit.objects.filter(pk=tree.unit).update(valid_until=until)
    lease = opened(line)
    assert (lease.no_new_cards_at_us, lease.no_sales_at_us, lease.stop_at_us) == (after(72), after(100), after(100))
    assert lease.step_at(after(1)) is Step.WARNING and lease.step_at(after(100)) is Step.STOP


def test_the_same_lease_is_given_until_it_is_due(line: int, clock) -> None:
    first = api.issue_lease(line, now=NOW)
    assert api.lease_serials(now=NOW) == {line: 1}
    later = NOW + timedelta(hours=6) - timedelta(microseconds=1)
    assert api.issue_lease(line, now=later) == first and api.lease_serials(now=later) == {line: 1}
    due = NOW + timedelta(hours=6)
    assert api.lease_serials(now=due) == {line: 2} and opened(line, due).serial == 2
    assert api.lease_serials(now=due) == {line: 2}


def test_an_extension_and_new_settings_make_a_lease_due_at_once(tree: Tree, line: int, clock) -> None:
    assert opened(line).serial == 1
    operators.extend_unit(tree.unit, valid_until=UNTIL + timedelta(days=1), clock=clock)
    assert api.lease_serials(now=NOW) == {line: 2} and opened(line).serial == 2
    api.set_admission_settings("gw:8445", HOURS, actor=ADMIN)
    assert api.lease_serials(now=NOW) == {line: 2}
    api.set_admission_settings("gw:8445", HOURS | {"stop_hours": 400}, actor=ADMIN)
    assert opened(line).stop_at_us == after(400) and opened(line).serial == 3


def test_lines_out_of_service_get_no_lease(tree: Tree, line: int, clock) -> None:
    straight = api.create_line(api.NewLine("车载机", unit_id=tree.unit))
    api.enrol(straight, api.build_request()[1], clock=clock)
    not_enrolled = api.create_line(api.NewLine("新", kind="front_end", unit_id=tree.unit))
    for wrong in (straight, not_enrolled, 4711):
        assert api.issue_lease(wrong, now=NOW) is None
    assert api.issue_lease(line, now=UNTIL) is None and api.lease_serials(now=UNTIL) == {}
    for state in ("suspended", "expired"):
        Unit.objects.filter(pk=tree.unit).update(state=state)
        assert api.issue_lease(line, now=NOW) is None and api.lease_serials(now=NOW) == {}
        Unit.objects.filter(pk=tree.unit).update(state="active")
    operators.set_operator_status(tree.unified, "suspended")
    assert api.issue_lease(line, now=NOW) is None
    operators.set_operator_status(tree.unified, "active")
    api.revoke_line(line)
    assert api.issue_lease(line, now=NOW) is None


def test_a_lease_is_proved_by_the_root_alone_with_and_without_a_vault(line: int, make_vault) -> None:
    without = api.issue_lease(line, now=NOW)
    make_vault()
    with_vault = api.issue_lease(line, now=NOW + timedelta(hours=7))
    assert without and with_vault and without.certificate_der != with_vault.certificate_der
    for signed in (without, with_vault):
        signed.open(api.authority().pem, line_id=line)
        with pytest.raises(InvalidInput):
            signed.open(api.authority().pem, line_id=line + 1)
    assert LeaseKey.objects.count() == 2
    opened(line, NOW + timedelta(hours=14))
    assert LeaseKey.objects.count() == 2
    opened(line, NOW + timedelta(hours=24 * 360))  # within the unit's year, and the key's two
    assert LeaseKey.objects.count() == 2


def test_two_gateways_that_ask_at_once_get_the_same_lease(line: int, at_once) -> None:
    found = at_once(lambda _: api.issue_lease(line, now=NOW), 6)
    assert len({(lease.lease, lease.signature) for lease in found}) == 1 and LineLease.objects.get().serial == 1


def test_a_line_whose_lease_has_become_due_is_told_once(tree: Tree, line: int, clock, django_database: TestDatabase) -> None:
    connection.ensure_connection()
    with psycopg.connect(django_database.app_dsn, autocommit=True) as listening:
        listening.execute("LISTEN rollouts")
        assert api.tell_due_leases(clock=clock) == []  # it has none yet: it asks by itself when it connects
        opened(line)
        assert api.tell_due_leases(clock=clock) == []
        clock.advance(timedelta(hours=6))
        assert [api.tell_due_leases(clock=clock) for _ in range(2)] == [[line], []]
        assert [notice.payload for notice in listening.notifies(timeout=5, stop_after=1)] == [str(line)]
        opened(line, clock.now())
        operators.extend_unit(tree.unit, valid_until=UNTIL + timedelta(days=2), clock=clock)
        assert api.tell_due_leases(clock=clock) == [line]


def test_the_steps_of_a_lease_stay_in_order() -> None:
    for wrong in ({"renew_hours": 24}, {"no_new_cards_hours": 23}, {"stop_hours": 167}, {"stop_hours": 9000}):
        with pytest.raises(InvalidInput):
            api.set_admission_settings("gw:8445", HOURS | wrong, actor=ADMIN)
    assert api.admission_settings().version == 1
    with pytest.raises(Forbidden):
        api.set_admission_settings("gw:8445", HOURS, actor=Actor("nobody"))


def test_the_address_to_enrol_at_is_a_host_and_a_port() -> None:
    for address in ("", "gw", "gw:0", "gw:99999", ":8445", "a b:1", "-x:1", "gw:8445/x", "1.2.3.999:1"):
        with pytest.raises(InvalidInput):
            api.set_admission_settings(address, HOURS, actor=ADMIN)
    assert api.set_admission_settings("[2001:db8::1]:8445", HOURS, actor=ADMIN).gateway == "[2001:db8::1]:8445"
