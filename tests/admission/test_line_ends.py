"""Rolling, revoking and replacing lines: what ends, what stays, and that revoking cannot be undone."""

from datetime import timedelta

import psycopg
import pytest
from django.db import IntegrityError, transaction

from onecard.kernel.errors import Forbidden, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.devices import admission, api
from onecard.services.devices.models import EnrolmentCode, Line, LineState, Terminal
from onecard.services.operators import api as operators
from tests.admission.conftest import ADMIN
from tests.services.conftest import NOW, Tree
from tests.support.postgres import TestDatabase

ADDRESS = "10.1.2.3:50000"


@pytest.fixture
def line(tree: Tree, clock) -> int:
    made = api.create_line(api.NewLine("食堂", kind="front_end", unit_id=tree.unit))
    api.enrol(made, api.build_request()[1], clock=clock)
    return made


def fingerprint(line: int) -> bytes:
    return bytes(Line.objects.get(pk=line).certificate_sha256 or b"")


def rule_of(act) -> str:
    with pytest.raises(RuleViolated) as caught:
        act()
    assert caught.value.rule == "G2"
    return caught.value.en


def test_rolling_leaves_the_old_certificate_in_force_until_the_new_one_is_fetched(line: int, clock) -> None:
    before = fingerprint(line)
    code = api.roll_line(line, actor=ADMIN, clock=clock).code
    assert fingerprint(line) == before
    api.enrol_by_code(code, api.build_request()[1], address=ADDRESS, clock=clock)
    assert fingerprint(line) not in (before, b"")


def test_a_line_that_was_never_enrolled_has_nothing_to_roll(tree: Tree, clock) -> None:
    new = api.create_line(api.NewLine("新", unit_id=tree.unit))
    assert "is not enrolled yet" in rule_of(lambda: api.roll_line(new, actor=ADMIN, clock=clock))
    with pytest.raises(NotFound):
        api.roll_line(4711, actor=ADMIN, clock=clock)


def test_revoking_ends_the_line_its_codes_and_every_way_back(line: int, clock, django_database: TestDatabase) -> None:
    code = api.roll_line(line, actor=ADMIN, clock=clock).code
    api.revoke_line(line, actor=ADMIN, clock=clock)
    clock.advance(timedelta(hours=1))
    row = api.revoke_line(line, actor=ADMIN, clock=clock)
    assert (row.state, row.revoked_at) == (LineState.REVOKED, NOW)
    with psycopg.connect(django_database.app_dsn) as connection:
        (listed,) = admission.admission_snapshot(connection, at=NOW)
    assert listed.refusal is admission.Refusal.REVOKED
    for act in (
        lambda: api.enrol_by_code(code, api.build_request()[1], address=ADDRESS, clock=clock),
        lambda: api.make_enrolment_code(line_id=line, actor=ADMIN, clock=clock),
        lambda: api.roll_line(line, actor=ADMIN, clock=clock),
        lambda: api.enrol(line, api.build_request()[1], clock=clock),
    ):
        assert "is revoked" in rule_of(act)
    assert EnrolmentCode.objects.get().withdrawn_at == NOW
    for change in ({"state": "active"}, {"certificate_sha256": b"\7" * 32}, {"certificate_sha256": None}):
        with pytest.raises(IntegrityError, match="is revoked"), transaction.atomic():
            Line.objects.filter(pk=line).update(**change)


def test_a_new_line_takes_the_place_of_a_revoked_one_with_its_terminals_once(tree: Tree, line: int, clock) -> None:
    merchant = operators.create_merchant("食堂", unit_id=tree.unit).pk
    terminals = api.create_terminals([api.NewTerminal(merchant, line), api.NewTerminal(merchant, line)])
    assert "is not revoked" in rule_of(lambda: api.reopen_line(line, actor=ADMIN))
    api.revoke_line(line, actor=ADMIN)
    new = api.reopen_line(line, actor=ADMIN)
    made = Line.objects.get(pk=new)
    assert (made.name, made.kind, made.unit_id, made.state, made.replaces_id) == ("食堂", "front_end", tree.unit, "active", line)
    assert made.certificate_sha256 is None and fingerprint(line) != b""
    assert list(Terminal.objects.filter(line=new).values_list("pk", flat=True).order_by("pk")) == terminals
    assert "has been replaced already" in rule_of(lambda: api.reopen_line(line, actor=ADMIN))
    code = api.make_enrolment_code(line_id=new, actor=ADMIN, clock=clock).code
    assert api.enrol_by_code(code, api.build_request()[1], address=ADDRESS, clock=clock).line_id == new


def test_revoking_needs_a_right_of_its_own(line: int) -> None:
    for actor in (Actor("nobody"), Actor("admits", frozenset({"devices.admit"}))):
        with pytest.raises(Forbidden):
            api.revoke_line(line, actor=actor)
    assert Line.objects.get(pk=line).state == LineState.ACTIVE
