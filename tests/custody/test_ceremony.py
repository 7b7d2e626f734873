"""The ceremony from the first custodian to the signed transcript: nobody holds the whole, nothing is left, errors are named."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.actors import Actor
from onecard.services.keys.api import Vault
from onecard.services.keys.custody import ceremony, transcript, transcript_file
from onecard.services.keys.custody.ceremony import Sheet
from onecard.services.keys.custody.components import (
    Component,
    Scheme,
    check_of,
    combine,
    format_component,
    parse_component,
    split,
)
from onecard.services.keys.models.custody import Ceremony, CeremonyComponent, CeremonyState, ComponentState
from onecard.services.keys.uses import KeyUse
from tests.custody.conftest import person
from tests.support.postgres import TestDatabase

NAMES = ("zhang", "li", "wang", "sun", "zhou")
PEOPLE = {name: person(name) for name in NAMES}
KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.fixture(autouse=True)
def users(officers: Callable[..., Any]) -> None:
    officers(*NAMES)


def open_for(scheme: Scheme, chen: Actor, *, algorithm: Algorithm = Algorithm.DES3, kcv: str = "", version: int = 1) -> Ceremony:
    return ceremony.open_ceremony(
        KeyUse.PURCHASE,
        algorithm=algorithm,
        scheme=scheme,
        custodians=NAMES[: scheme.count],
        version=version if kcv else None,
        expected_kcv=kcv,
        actor=chen,
    )


def give(opened: Ceremony, name: str) -> Sheet:
    sheet = ceremony.make(opened.pk, actor=PEOPLE[name])
    ceremony.confirm(opened.pk, sheet.check_value.lower(), actor=PEOPLE[name])
    return sheet


def value_of(sheet: Sheet, opened: Ceremony) -> Component:
    return parse_component(sheet.text, ceremony.scheme_of(opened), number=sheet.number, tag=opened.pk, who="test")


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_components_of_all_make_a_key_whose_check_value_is_shown(vault: Vault, chen: Actor, algorithm: Algorithm) -> None:
    opened = open_for(Scheme(3, 3), chen, algorithm=algorithm)
    sheets = [give(opened, name) for name in NAMES[:3]]
    done = ceremony.finish(opened.pk, actor=chen)
    whole = combine(Scheme(3, 3), [value_of(sheet, opened) for sheet in sheets])
    assert done.state == CeremonyState.DONE
    assert done.kcv == check_of(algorithm, whole)


def test_shares_of_any_two_of_three_bring_the_key_back(vault: Vault, chen: Actor) -> None:
    scheme = Scheme(2, 3)
    opened = open_for(scheme, chen)
    sheets = [give(opened, "wang"), give(opened, "zhang")]
    made = ceremony.finish(opened.pk, actor=chen)
    assert made.state == CeremonyState.HANDING_OUT
    sheets.append(give(opened, "li"))
    opened.refresh_from_db()
    assert (opened.state, opened.kcv) == (CeremonyState.DONE, made.kcv)
    parts = [value_of(sheet, opened) for sheet in sheets]
    for pair in (parts[:2], parts[1:], parts[::2]):
        assert check_of(Algorithm.DES3, combine(scheme, pair)) == made.kcv


def test_an_old_key_is_brought_in_from_its_sheets(vault: Vault, chen: Actor) -> None:
    scheme = Scheme(2, 3)
    shares = split(scheme, KEY)
    opened = open_for(scheme, chen, kcv="08d7b4")
    for share, name in ((shares[0], "zhang"), (shares[2], "wang")):
        text = format_component(scheme, share, tag=opened.pk + 3)  # the tag of the ceremony it was made in
        check = check_of(Algorithm.DES3, share.value)
        assert ceremony.enter(opened.pk, text, check_value=check, actor=PEOPLE[name]) == check
    assert ceremony.finish(opened.pk, actor=chen).state == CeremonyState.DONE
    assert Ceremony.objects.get().kcv == "08D7B4"


def test_another_result_than_expected_changes_nothing_and_can_be_mended(vault: Vault, chen: Actor) -> None:
    scheme = Scheme(2, 2)
    parts = split(scheme, KEY)
    opened = open_for(scheme, chen, kcv="08D7B4")

    def enter(part: Component) -> None:
        text, check = format_component(scheme, part, tag=0), check_of(Algorithm.DES3, part.value)
        ceremony.enter(opened.pk, text, check_value=check, actor=PEOPLE[NAMES[part.number - 1]])

    enter(parts[0])
    enter(Component(2, bytes(range(16))))
    with pytest.raises(InvalidInput, match="check value"):
        ceremony.finish(opened.pk, actor=chen)
    opened.refresh_from_db()
    assert (opened.state, opened.kcv, opened.key_id) == (CeremonyState.OPEN, "", None)
    assert opened.components.filter(state=ComponentState.HELD).count() == 2
    enter(parts[1])
    assert ceremony.finish(opened.pk, actor=chen).kcv == "08D7B4"


def test_a_typing_error_names_the_group_and_a_wrong_check_value_the_custodian(vault: Vault, chen: Actor) -> None:
    scheme = Scheme(2, 2)
    opened = open_for(scheme, chen)
    text = format_component(scheme, Component(1, KEY), tag=opened.pk)
    wrong = text[:14] + ("0" if text[14] != "0" else "1") + text[15:]
    with pytest.raises(InvalidInput, match="zhang's component is wrong in group 3"):
        ceremony.enter(opened.pk, wrong, check_value="08D7B4", actor=PEOPLE["zhang"])
    with pytest.raises(InvalidInput, match="zhang's component has the check value 08D7B4, not 08D7B5"):
        ceremony.enter(opened.pk, text, check_value="08D7B5", actor=PEOPLE["zhang"])
    part = opened.components.get(number=1)
    assert (part.state, part.sealed, part.check_value) == (ComponentState.WAITING, None, "")
    with pytest.raises(InvalidInput, match="not li's component"):
        ceremony.enter(opened.pk, text, check_value="08D7B4", actor=PEOPLE["li"])


def test_a_component_that_was_not_confirmed_does_not_count(vault: Vault, chen: Actor) -> None:
    opened = open_for(Scheme(2, 2), chen)
    give(opened, "zhang")
    shown = ceremony.make(opened.pk, actor=PEOPLE["li"])
    with pytest.raises(InvalidInput, match="too few components: 1 of 2"):
        ceremony.finish(opened.pk, actor=chen)
    other = "000000" if shown.check_value != "000000" else "111111"
    with pytest.raises(InvalidInput, match="check value differs"):
        ceremony.confirm(opened.pk, other, actor=PEOPLE["li"])
    again = ceremony.make(opened.pk, actor=PEOPLE["li"])
    assert again.text != shown.text, "a page that was lost is no component"
    ceremony.confirm(opened.pk, again.check_value, actor=PEOPLE["li"])
    assert ceremony.finish(opened.pk, actor=chen).state == CeremonyState.DONE


def test_only_the_named_custodian_and_only_for_the_own_component(vault: Vault, chen: Actor) -> None:
    opened = open_for(Scheme(2, 2), chen)
    with pytest.raises(Forbidden, match="no custodian"):
        ceremony.make(opened.pk, actor=PEOPLE["wang"])
    with pytest.raises(Forbidden):
        ceremony.make(opened.pk, actor=Actor.system("zhang"))
    with pytest.raises(Forbidden):
        ceremony.make(opened.pk, actor=Actor("zhang", frozenset({"keys.read"})))
    give(opened, "zhang")
    with pytest.raises(RuleViolated, match="has one component"):
        ceremony.make(opened.pk, actor=PEOPLE["zhang"])
    with pytest.raises(NotFound):
        ceremony.make(opened.pk + 1, actor=PEOPLE["zhang"])


def test_the_last_shares_wait_until_the_key_is_made(vault: Vault, chen: Actor) -> None:
    opened = open_for(Scheme(2, 4), chen)
    give(opened, "zhang")
    give(opened, "li")
    with pytest.raises(RuleViolated, match="handed out after"):
        ceremony.make(opened.pk, actor=PEOPLE["wang"])
    ceremony.finish(opened.pk, actor=chen)
    give(opened, "wang")
    assert ceremony.finish(opened.pk, actor=chen).state == CeremonyState.DONE, "ended without the fourth"
    with pytest.raises(RuleViolated, match="has ended"):
        ceremony.make(opened.pk, actor=PEOPLE["sun"])


def test_after_the_end_and_after_an_abort_no_component_is_left(vault: Vault, chen: Actor) -> None:
    first = open_for(Scheme(2, 2), chen)
    for name in NAMES[:2]:
        give(first, name)
    assert CeremonyComponent.objects.filter(sealed__isnull=False).count() == 2
    ceremony.abort(first.pk, reason="a custodian left", actor=chen)
    second = open_for(Scheme(2, 2), chen)
    for name in NAMES[:2]:
        give(second, name)
    ceremony.finish(second.pk, actor=chen)
    rows = CeremonyComponent.objects.values_list("state", "sealed")
    assert set(rows) == {(ComponentState.WIPED, None)}
    for act in (ceremony.finish, lambda pk, *, actor: ceremony.abort(pk, reason="", actor=actor)):
        with pytest.raises(RuleViolated, match="has ended"):
            act(first.pk, actor=chen)


def test_no_component_is_in_the_database_in_the_clear(vault: Vault, chen: Actor, database: TestDatabase) -> None:
    opened = open_for(Scheme(2, 3), chen)
    sheets = [give(opened, "zhang"), give(opened, "li")]
    values = [value_of(sheet, opened).value for sheet in sheets]
    values.append(combine(Scheme(2, 3), [value_of(sheet, opened) for sheet in sheets]))
    assert not found_in(database, values)
    ceremony.finish(opened.pk, actor=chen)
    sheets.append(give(opened, "wang"))
    assert not found_in(database, [*values, value_of(sheets[2], opened).value])
    assert sheets[0].text not in repr(sheets[0])


def found_in(database: TestDatabase, values: list[bytes]) -> list[str]:
    """Where any of the values stands, in hexadecimal or raw, in any row of any table of the keys."""
    with psycopg.connect(database.owner_dsn) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'keys%'").fetchall()
        rows = [(name, str(row)) for (name,) in tables for row in connection.execute(f"SELECT t::text FROM {name} t".encode())]
    assert len(tables) >= 7
    return [name for name, row in rows for value in values if value.hex() in row.lower().replace(" ", "")]


def test_a_ceremony_for_a_use_is_the_only_one_and_says_whom_it_waits_for(vault: Vault, chen: Actor) -> None:
    open_for(Scheme(2, 2), chen)
    with pytest.raises(RuleViolated, match="open already"):
        open_for(Scheme(2, 3), chen)
    with pytest.raises(InvalidInput, match="3 custodians"):
        ceremony.open_ceremony(KeyUse.TAC, algorithm=Algorithm.SM4, scheme=Scheme(3, 3), custodians=["a", "b"], actor=chen)
    with pytest.raises(RuleViolated, match="has one component"):
        ceremony.open_ceremony(KeyUse.TAC, algorithm=Algorithm.SM4, scheme=Scheme(2, 2), custodians=["li", "Li"], actor=chen)
    with pytest.raises(Forbidden):
        ceremony.open_ceremony(
            KeyUse.TAC, algorithm=Algorithm.SM4, scheme=Scheme(2, 2), custodians=["a", "b"], actor=Actor.system("cli")
        )


def test_many_finish_at_once_and_one_key_is_made(
    vault: Vault, chen: Actor, at_once: Callable[[Callable[[int], Any], int], list[Any]]
) -> None:
    opened = open_for(Scheme(2, 2), chen)
    for name in NAMES[:2]:
        give(opened, name)
    results = at_once(lambda _n: ceremony.finish(opened.pk, actor=chen), 4)
    assert sum(isinstance(result, Ceremony) for result in results) == 1


def test_the_transcript_is_signed_complete_and_without_components(vault: Vault, chen: Actor) -> None:
    opened = open_for(Scheme(2, 2), chen)
    sheets = [give(opened, name) for name in NAMES[:2]]
    with pytest.raises(NotFound):
        transcript.dump(opened.pk)
    done = ceremony.finish(opened.pk, actor=chen)
    file = transcript.dump(opened.pk)
    checked = transcript_file.check(file)
    assert transcript.is_ours(checked)
    assert checked.document["kcv"] == done.kcv
    assert [row["check_value"] for row in checked.document["custodians"]] == [sheet.check_value for sheet in sheets]
    acts = [(row["who"], row["act"]) for row in checked.document["log"]]
    assert acts[0] == ("chen", "opened")
    assert acts[-1] == ("chen", "combined")
    assert ("li", "confirmed") in acts
    for sheet in sheets:
        assert value_of(sheet, opened).value.hex() not in file.lower().replace(" ", "")
    other = json.loads(file)
    other["transcript"] = other["transcript"].replace("zhang", "zheng")
    with pytest.raises(InvalidInput):
        transcript_file.check(json.dumps(other))


def test_the_database_itself_keeps_what_has_ended(vault: Vault, chen: Actor, database: TestDatabase) -> None:
    opened = open_for(Scheme(2, 2), chen)
    ceremony.abort(opened.pk, reason="", actor=chen)
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        for statement in (
            "UPDATE keys_ceremony SET state = 'open', closed_at = NULL",
            "UPDATE keys_ceremony SET opened_by = 'x'",
            "DELETE FROM keys_ceremony",
            "UPDATE keys_ceremonycomponent SET custodian = 'x'",
            "UPDATE keys_ceremonycomponent SET state = 'held', sealed = 'x', check_value = 'AAAAAA'",
            "DELETE FROM keys_ceremonycomponent",
            "UPDATE keys_ceremonyevent SET who = 'x'",
            "DELETE FROM keys_transcript",
            "UPDATE keys_transcript SET document = 'x'",
        ):
            with pytest.raises(psycopg.errors.IntegrityError):
                connection.execute(statement.encode())


def test_the_database_itself_lets_no_component_outlive_its_ceremony(vault: Vault, chen: Actor, database: TestDatabase) -> None:
    opened = open_for(Scheme(2, 2), chen)
    give(opened, "zhang")
    end = "UPDATE keys_ceremony SET state = 'aborted', closed_at = now()"
    with psycopg.connect(database.app_dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.IntegrityError, match="components left"):
            connection.execute(end.encode())
        with connection.transaction():
            connection.execute(end.encode())
            connection.execute("UPDATE keys_ceremonycomponent SET sealed = NULL, state = 'wiped'")


def test_a_key_comes_back_under_its_own_version(vault: Vault, chen: Actor) -> None:
    scheme = Scheme(2, 2)
    opened = open_for(scheme, chen, kcv="08D7B4", version=3)
    for part, name in zip(split(scheme, KEY), NAMES, strict=False):
        text, check = format_component(scheme, part, tag=0), check_of(Algorithm.DES3, part.value)
        ceremony.enter(opened.pk, text, check_value=check, actor=PEOPLE[name])
    assert ceremony.finish(opened.pk, actor=chen).version == 3
    assert [key.version for key in vault.status()] == [3]
    with pytest.raises(RuleViolated, match="version 3 of purchase is there already"):
        open_for(scheme, chen, kcv="08D7B4", version=3)


@pytest.mark.parametrize(("version", "kcv"), [(3, ""), (None, "08D7B4"), (0, "08D7B4"), (256, "08D7B4")])
def test_a_version_and_a_check_value_go_together(vault: Vault, chen: Actor, version: int | None, kcv: str) -> None:
    with pytest.raises(InvalidInput, match="version"):
        ceremony.open_ceremony(
            KeyUse.PURCHASE, algorithm=Algorithm.DES3, scheme=Scheme(2, 2), custodians=NAMES[:2], version=version,
            expected_kcv=kcv, actor=chen,
        )  # fmt: skip


def test_a_custodian_is_a_user(vault: Vault, chen: Actor) -> None:
    with pytest.raises(NotFound, match="no user of the management centre: nobody"):
        ceremony.open_ceremony(
            KeyUse.PURCHASE, algorithm=Algorithm.DES3, scheme=Scheme(2, 2), custodians=("ZHANG", "nobody"), actor=chen
        )
