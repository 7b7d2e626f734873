"""The authorised list: enrolment, revocation, and why a line is refused (G2, O4)."""

from datetime import UTC, timedelta

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from onecard.kernel.clock import to_epoch_us
from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.protocol.proto import app_pb2
from onecard.services.devices import admission
from onecard.services.devices import api as devices
from onecard.services.devices.admission import AdmittedLine, LineTerminal, Refusal
from onecard.services.devices.api import NewLine, NewTerminal
from onecard.services.devices.models import GatewayStatus, Line, LineStatus, Terminal
from onecard.services.operators import api
from onecard.services.operators.directory import Change
from onecard.services.operators.models import Unit
from tests.services.conftest import NOW, UNTIL, Tree
from tests.support.postgres import TestDatabase


@pytest.fixture
def connection(django_database: TestDatabase):
    with psycopg.connect(django_database.app_dsn, autocommit=True) as connected:
        yield connected


def enrolled(tree: Tree, clock, *, name: str = "食堂", unit: int | None = None, operator: int | None = None) -> int:
    owner = {"operator_id": operator} if operator else {"unit_id": unit or tree.unit}
    line = devices.create_line(NewLine(name, kind="front_end", **owner))
    devices.enrol(line, devices.build_request()[1], clock=clock)
    return line


def refusal_of(connection, line: int, *, at=NOW) -> Refusal:
    return next(found.refusal for found in admission.admission_snapshot(connection, at=at) if found.line_id == line)


def test_the_numbers_of_the_refusals_are_those_of_the_wire() -> None:
    assert {refusal.name: int(refusal) for refusal in Refusal} == dict(app_pb2.Refusal.items())


def test_enrolment_issues_a_certificate_and_puts_its_fingerprint_on_the_list(tree: Tree, connection, clock) -> None:
    line = devices.create_line(NewLine("食堂", kind="front_end", unit_id=tree.unit))
    merchant = api.create_merchant("食堂", unit_id=tree.unit).pk
    first, second = devices.create_terminals([NewTerminal(merchant, line), NewTerminal(merchant, line, tid="A0000001")])
    assert admission.admission_snapshot(connection, at=NOW) == []
    pem = devices.enrol(line, devices.build_request("whatever")[1], clock=clock)
    certificate = x509.load_pem_x509_certificate(pem)
    assert certificate.subject.rfc4514_string() == f"CN=line-{line}"
    mid = f"{merchant:015d}"
    assert admission.admission_snapshot(connection, at=NOW) == [
        AdmittedLine(
            line_id=line,
            certificate_sha256=certificate.fingerprint(hashes.SHA256()),
            unit_id=tree.unit,
            operator_id=tree.unified,
            name="食堂",
            front_end=True,
            refusal=Refusal.NONE,
            valid_until_us=to_epoch_us(UNTIL),
            terminals=(LineTerminal(first, f"{first:08d}", mid), LineTerminal(second, "A0000001", mid)),
        )
    ]


def test_a_new_enrolment_ends_the_older_certificate(tree: Tree, connection, clock) -> None:
    line = enrolled(tree, clock)
    before = admission.admission_snapshot(connection, at=NOW)[0].certificate_sha256
    devices.enrol(line, devices.build_request()[1], clock=clock)
    (after,) = admission.admission_snapshot(connection, at=NOW)
    assert after.certificate_sha256 != before


def test_many_lines_are_enrolled_all_or_none(tree: Tree, clock) -> None:
    lines = devices.create_lines(NewLine(f"终端{i}", unit_id=tree.unit) for i in range(5))
    csr = devices.build_request()[1]
    with pytest.raises(NotFound):
        devices.enrol_many([*((line, csr) for line in lines), (4711, csr)], clock=clock)
    assert not Line.objects.filter(certificate_sha256__isnull=False).exists()
    with pytest.raises(InvalidInput):
        devices.enrol_many([(lines[0], csr), (lines[0], csr)], clock=clock)
    assert len(set(devices.enrol_many([(line, csr) for line in lines], clock=clock))) == 5


def test_a_revoked_line_is_refused_and_does_not_come_back(tree: Tree, connection, clock) -> None:
    line = enrolled(tree, clock)
    devices.revoke_line(line)
    assert refusal_of(connection, line) is Refusal.REVOKED
    with pytest.raises(RuleViolated) as caught:
        devices.enrol(line, devices.build_request()[1], clock=clock)
    assert caught.value.rule == "G2"
    with pytest.raises(NotFound):
        devices.revoke_line(4711)


def test_a_line_follows_its_unit_and_its_operator(tree: Tree, connection, clock) -> None:
    line = enrolled(tree, clock)
    for state, expected in (("suspended", Refusal.UNIT_SUSPENDED), ("active", Refusal.NONE), ("expired", Refusal.UNIT_EXPIRED)):
        Unit.objects.filter(pk=tree.unit).update(state=state)
        assert refusal_of(connection, line) is expected
    Unit.objects.filter(pk=tree.unit).update(state="active")
    api.set_operator_status(tree.unified, "suspended")
    assert refusal_of(connection, line) is Refusal.OPERATOR_SUSPENDED
    api.set_operator_status(tree.unified, "active")
    Unit.objects.filter(pk=tree.unit).update(state="closed")
    assert refusal_of(connection, line) is Refusal.UNIT_SUSPENDED


def test_only_units_from_commissioning_on_are_admitted(tree: Tree, connection, clock) -> None:
    unit = api.create_unit(tree.root, "NEW", name="新").pk
    line = enrolled(tree, clock, unit=unit)
    assert refusal_of(connection, line) is Refusal.UNIT_SUSPENDED
    api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, clock=clock)
    assert refusal_of(connection, line) is Refusal.UNIT_SUSPENDED
    api.set_unit_state(unit, "commissioning", clock=clock)
    assert refusal_of(connection, line) is Refusal.NONE


def test_the_end_of_the_validity_period_refuses_without_a_tick(tree: Tree, connection, clock) -> None:
    line = enrolled(tree, clock)
    assert refusal_of(connection, line, at=UNTIL - timedelta(microseconds=1)) is Refusal.NONE
    assert refusal_of(connection, line, at=UNTIL) is Refusal.UNIT_EXPIRED


def test_a_line_of_an_operator_ends_with_its_certificate(tree: Tree, connection, clock) -> None:
    line = enrolled(tree, clock, operator=tree.root)
    (found,) = admission.admission_snapshot(connection, at=NOW)
    until = Line.objects.get(pk=line).certificate_until
    assert until is not None and until.tzinfo is UTC
    assert (found.unit_id, found.operator_id, found.valid_until_us) == (0, tree.root, to_epoch_us(until))


def test_changes_give_the_lines_they_touch(tree: Tree, connection, clock) -> None:
    mine, other = enrolled(tree, clock), enrolled(tree, clock, unit=tree.own_unit)
    plain = devices.create_line(NewLine("未登记", unit_id=tree.unit))
    of_root = enrolled(tree, clock, operator=tree.root)

    def touched(*changes: Change) -> tuple[bool, set[int], set[int]]:
        found = admission.admission_changes(connection, changes, at=NOW)
        return found.full, {line.line_id for line in found.lines}, set(found.removed)

    assert touched(Change("unit", tree.unit)) == (False, {mine}, {plain})
    assert touched(Change("operator", tree.independent)) == (False, {other}, set())
    assert touched(Change("operator", tree.root), Change("line", mine)) == (False, {mine, of_root}, set())
    assert touched(Change("line", 4711)) == (False, set(), {4711})
    assert touched(Change("terminal", None), Change("meal_period", tree.unit)) == (False, set(), set())
    assert touched(Change("line", None)) == (True, {mine, other, of_root}, set())


async def test_the_asynchronous_readers_read_the_same(django_database: TestDatabase, connection) -> None:
    connection.execute(
        "INSERT INTO operators_operator (code, name, name_en, settlement_mode, status, holder_cap, holder_count, unit_count,"
        " child_count, created_at) VALUES ('R', '根', '', 'unified', 'active', 1, 0, 0, 0, now())"
    )
    connection.execute(
        "INSERT INTO devices_line (operator_id, kind, name, state, created_at, certificate_sha256)"
        " SELECT id, 'terminal', 'L' || i, 'active', now(), sha256(i::text::bytea)"
        " FROM operators_operator, generate_series(1, 3) i"
    )
    ids = [row[0] for row in connection.execute("SELECT id FROM devices_line ORDER BY id").fetchall()]
    async with await psycopg.AsyncConnection.connect(django_database.app_dsn) as asynchronous:
        snapshot = await admission.admission_snapshot_async(asynchronous, at=NOW)
        assert snapshot == admission.admission_snapshot(connection, at=NOW) and len(snapshot) == 3
        for changes in ([Change("line", ids[0])], [Change("line", None)], [Change("card_type", 1)]):
            found = await admission.admission_changes_async(asynchronous, changes, at=NOW)
            assert found == admission.admission_changes(connection, changes, at=NOW)


def test_a_terminal_speaks_only_over_a_line_of_its_own_unit_or_operator(tree: Tree) -> None:
    mine = api.create_merchant("食堂", unit_id=tree.unit).pk
    public = api.create_merchant("公交", operator_id=tree.root, public=True).pk
    unit_line = devices.create_line(NewLine("食堂", unit_id=tree.unit))
    root_line = devices.create_line(NewLine("公交", operator_id=tree.root))
    for merchant, line in ((mine, root_line), (public, unit_line)):
        with pytest.raises(RuleViolated) as caught:
            devices.create_terminals([NewTerminal(mine), NewTerminal(merchant, line)])
        assert caught.value.rule == "N3"
    assert not Terminal.objects.exists()
    assert len(devices.create_terminals([NewTerminal(mine, unit_line), NewTerminal(public, root_line)])) == 2


def test_a_line_belongs_to_one_owner_and_a_terminal_number_to_one_terminal(tree: Tree) -> None:
    for wrong in (NewLine("无主"), NewLine("两主", unit_id=tree.unit, operator_id=tree.unified)):
        with pytest.raises(InvalidInput):
            devices.create_line(wrong)
    merchant = api.create_merchant("食堂", unit_id=tree.unit).pk
    devices.create_terminals([NewTerminal(merchant, tid="12345678")])
    for tid in ("12345678", "1234567", "1234567a"):
        with pytest.raises(InvalidInput):
            devices.create_terminals([NewTerminal(merchant), NewTerminal(merchant, tid=tid)])
    assert Terminal.objects.count() == 1


def report(gateway: str, lines: list[int]) -> app_pb2.LineReport:
    return app_pb2.LineReport(
        gateway=gateway,
        online_line_id=lines,
        online_terminal_id=[1, 2],
        requests_per_second=12.5,
        latency_p50_ms=1.25,
        latency_p99_ms=9.5,
    )


def test_reports_of_gateways_say_since_when_a_line_is_up_or_down(tree: Tree, clock) -> None:
    one, two = devices.create_lines([NewLine("一", unit_id=tree.unit), NewLine("二", unit_id=tree.unit)])

    def status() -> dict[int, tuple[bool, float, str]]:
        return {s.line_id: (s.online, (s.since - NOW).total_seconds(), s.gateway) for s in LineStatus.objects.all()}

    devices.report_lines(report("g1", [one, two, 4711]), clock=clock)
    clock.advance(timedelta(seconds=1))
    devices.report_lines(report("g1", [one]), clock=clock)
    assert status() == {one: (True, 0, "g1"), two: (False, 1, "g1")}
    clock.advance(timedelta(seconds=1))
    devices.report_lines(report("g2", [two]), clock=clock)
    assert status() == {one: (True, 0, "g1"), two: (True, 2, "g2")}
    found = GatewayStatus.objects.get(gateway="g2")
    assert (found.online_lines, found.online_terminals, found.requests_per_second_milli) == (1, 2, 12_500)
    assert (found.latency_p50_us, found.latency_p99_us) == (1_250, 9_500)


def test_a_line_stays_up_when_it_moves_to_another_gateway_and_goes_down_with_a_silent_one(tree: Tree, clock) -> None:
    (line,) = devices.create_lines([NewLine("一", unit_id=tree.unit)])
    devices.report_lines(report("g1", [line]), clock=clock)
    clock.advance(timedelta(seconds=5))
    devices.report_lines(report("g2", [line]), clock=clock)
    devices.report_lines(report("g1", []), clock=clock)
    status = LineStatus.objects.get()
    assert (status.online, status.since, status.gateway) == (True, NOW, "g2")
    clock.advance(timedelta(seconds=16))
    devices.report_lines(report("g1", []), clock=clock)
    status.refresh_from_db()
    assert (status.online, status.since) == (False, NOW + timedelta(seconds=5))
