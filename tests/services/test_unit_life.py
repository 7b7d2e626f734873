"""O3 and O4: the steps of a unit's life, its opening, and its validity period."""

from datetime import timedelta
from itertools import product

import pytest
from django.db import IntegrityError, transaction

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.services.operators import api, lifecycle
from onecard.services.operators.choices import UnitState
from onecard.services.operators.models import Unit, UnitApplication, UnitCredential
from tests.services.conftest import NOW, UNTIL, Tree, active_unit


def state_of(unit_id: int) -> tuple[str, str | None]:
    unit = Unit.objects.get(pk=unit_id)
    return unit.state, unit.resume_state


def test_opening_gives_a_user_name_a_one_time_password_and_the_applications(root, clock) -> None:
    unit = api.create_unit(root, "SCH-1", name="一中").pk
    opened = api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, applications=["payment", "access"], clock=clock)
    assert opened.user_name == f"sch-1-{unit}"
    assert len(opened.password) == 12 and opened.password not in repr(opened)
    assert opened.applications == ("access", "payment")
    assert set(UnitApplication.objects.values_list("application", flat=True)) == {"access", "payment"}
    stored = UnitCredential.objects.get(unit_id=unit)
    assert stored.password_hash.startswith("argon2$argon2id$") and stored.must_change
    assert api.check_unit_credential(opened.user_name, opened.password) == unit
    assert api.check_unit_credential(opened.user_name, opened.password + "x") is None
    assert api.check_unit_credential("nobody", opened.password) is None


def test_a_new_password_ends_the_old_one(root, clock) -> None:
    unit = api.create_unit(root, "S", name="一中").pk
    with pytest.raises(RuleViolated):
        api.renew_credential(unit, clock=clock)
    first = api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, clock=clock)
    second = api.renew_credential(unit, clock=clock)
    assert second.user_name == first.user_name and second.applications == first.applications
    assert api.check_unit_credential(first.user_name, first.password) is None
    assert api.check_unit_credential(second.user_name, second.password) == unit


def test_a_unit_is_opened_once_with_known_applications_and_a_period_still_to_come(root, clock) -> None:
    unit = api.create_unit(root, "S", name="一中").pk
    with pytest.raises(InvalidInput, match="telepathy"):
        api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, applications=["telepathy"], clock=clock)
    for until in (NOW - timedelta(days=1), NOW):
        with pytest.raises(RuleViolated) as caught:
            api.open_unit(unit, valid_from=NOW, valid_until=until, clock=clock)
        assert caught.value.rule == "O4"
    with pytest.raises(RuleViolated) as caught:
        api.open_unit(unit, valid_from=UNTIL, valid_until=UNTIL, clock=clock)
    assert caught.value.rule == "O4"
    with pytest.raises(RuleViolated):
        api.set_unit_state(unit, "opened", clock=clock)
    assert state_of(unit) == ("applied", None)
    api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, clock=clock)
    with pytest.raises(RuleViolated) as caught:
        api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, clock=clock)
    assert caught.value.rule == "O3" and "已开通" in caught.value.zh
    with pytest.raises(NotFound):
        api.open_unit(4711, valid_from=NOW, valid_until=UNTIL, clock=clock)


def test_the_database_allows_exactly_the_steps_of_the_table(root) -> None:
    resumable = (UnitState.SUSPENDED, UnitState.EXPIRED)
    starts = [(state, None) for state in UnitState if state not in resumable]
    starts += list(product(resumable, lifecycle.RUNNING))
    for number, ((before, resume), after) in enumerate(product(starts, UnitState)):
        if before == after:
            continue
        unit = Unit.objects.create(
            operator_id=root, code=f"U{number}", name="U", state=before, resume_state=resume, valid_from=NOW, valid_until=UNTIL
        )
        try:
            with transaction.atomic():
                Unit.objects.filter(pk=unit.pk).update(state=after)
            allowed = True
        except IntegrityError as error:
            assert "unit_transition" in str(error.__cause__.diag.constraint_name)
            allowed = False
        assert allowed == lifecycle.may_go(before, after, resume=resume), (before, resume, after)
        if allowed and after in resumable:
            assert state_of(unit.pk) == (after, before)
        unit.delete()


@pytest.mark.parametrize("state", ["opened", "commissioning", "active"])
def test_lifting_a_suspension_leads_back_to_where_the_unit_was_and_nowhere_else(root, clock, state: str) -> None:
    unit = api.create_unit(root, "S", name="一中").pk
    api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, clock=clock)
    for step in ("commissioning", "active"):
        if state_of(unit)[0] != state:
            api.set_unit_state(unit, step, clock=clock)
    api.set_unit_state(unit, "suspended", clock=clock)
    for other in {"opened", "commissioning", "active", "expired"} - {state}:
        with pytest.raises(RuleViolated):
            api.set_unit_state(unit, other, clock=clock)
    assert api.set_unit_state(unit, state, clock=clock).resume_state is None
    assert state_of(unit) == (state, None)


def test_the_tick_expires_what_is_over_and_extending_brings_it_back(tree: Tree, clock) -> None:
    commissioning = api.create_unit(tree.root, "C", name="C").pk
    api.open_unit(commissioning, valid_from=NOW, valid_until=NOW + timedelta(days=10), clock=clock)
    api.set_unit_state(commissioning, "commissioning", clock=clock)
    applied = api.create_unit(tree.root, "A", name="A").pk
    clock.at = NOW + timedelta(days=10) - timedelta(microseconds=1)
    assert api.expire_units(clock) == []
    clock.at = NOW + timedelta(days=10)
    assert api.expire_units(clock) == [commissioning]
    clock.at = UNTIL
    assert api.expire_units(clock) == [tree.unit, tree.own_unit]
    assert api.expire_units(clock) == []
    assert state_of(applied) == ("applied", None)
    with pytest.raises(RuleViolated) as caught:
        api.set_unit_state(tree.unit, "active", clock=clock)
    assert caught.value.rule == "O4"
    with pytest.raises(RuleViolated):
        api.extend_unit(tree.unit, valid_until=UNTIL, clock=clock)
    assert api.extend_unit(tree.unit, valid_until=UNTIL + timedelta(days=1), clock=clock).state == "active"
    api.extend_unit(commissioning, valid_until=UNTIL + timedelta(days=1), clock=clock)
    assert (state_of(tree.unit), state_of(commissioning)) == (("active", None), ("commissioning", None))


def test_a_suspended_unit_stays_suspended_when_its_period_ends_or_is_extended(tree: Tree, clock) -> None:
    api.set_unit_state(tree.unit, "suspended", clock=clock)
    clock.at = UNTIL
    assert tree.unit not in api.expire_units(clock)
    with pytest.raises(RuleViolated) as caught:
        api.set_unit_state(tree.unit, "active", clock=clock)
    assert caught.value.rule == "O4"
    assert api.extend_unit(tree.unit, valid_until=UNTIL + timedelta(days=1), clock=clock).state == "suspended"
    assert api.set_unit_state(tree.unit, "active", clock=clock).state == "active"


def test_a_closed_unit_stays_closed_and_its_people_cannot_sign_in(root, clock) -> None:
    unit = api.create_unit(root, "S", name="一中").pk
    opened = api.open_unit(unit, valid_from=NOW, valid_until=UNTIL, clock=clock)
    api.set_unit_state(unit, "closed", clock=clock)
    for state in ("opened", "active", "suspended"):
        with pytest.raises(RuleViolated):
            api.set_unit_state(unit, state, clock=clock)
    with pytest.raises(RuleViolated):
        api.extend_unit(unit, valid_until=UNTIL + timedelta(days=1), clock=clock)
    assert api.check_unit_credential(opened.user_name, opened.password) is None


def test_ticks_of_many_workers_expire_a_unit_once(tree: Tree, clock, at_once) -> None:
    for number in range(20):
        active_unit(tree.root, f"X{number}", until=NOW + timedelta(days=1))
    clock.at = NOW + timedelta(days=1)
    expired = [unit for ids in at_once(lambda _: api.expire_units(clock), 8) for unit in ids]
    assert len(expired) == len(set(expired)) == 20
