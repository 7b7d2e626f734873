"""Being somebody over REST: tokens and sessions, and what each refusal says."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from onecard.consoles.centre import staff as staff_service
from onecard.consoles.centre.models import StaffToken
from onecard.consoles.centre.permissions import TWO_PERSON
from onecard.consoles.centre.roles import Role
from onecard.consoles.centre.tokens import issue_token, revoke_token
from onecard.httpapi import failures
from onecard.kernel.errors import InvalidInput
from tests.consoles.conftest import PASSWORD
from tests.httpapi.conftest import BASE, anybody


def test_nobody_is_told_so_in_both_languages(centre: object) -> None:
    answer = anybody().get(f"{BASE}/me", headers={"accept-language": "en-GB"})
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    said = answer.json()
    assert (said["status"], said["code"], said["instance"]) == (401, "AUTH.REQUIRED", f"{BASE}/me")
    assert said["detail"] == said["en"] and "令牌" in said["zh"]


def test_a_token_carries_no_more_than_it_was_given_and_is_kept_as_a_digest(token: Callable[..., str]) -> None:
    text = token(only=["directory.read"])
    client = Client(headers={"host": "127.0.0.1", "authorization": f"Bearer {text}"})
    assert client.get(f"{BASE}/me").json() == {"name": "administrator", "permissions": ["directory.read"], "operators": None}
    assert client.get(f"{BASE}/operators").status_code == 200
    refused = client.get(f"{BASE}/accounts")
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    row = StaffToken.objects.get()
    assert text not in str(StaffToken.objects.values().get()) and row.hint == text[-4:]
    assert row.last_used_at is not None


def test_a_token_never_outlives_its_user_its_role_or_its_end(program: Callable[..., Client]) -> None:
    client, row = program(Role.FINANCE), StaffToken.objects.get()
    assert client.get(f"{BASE}/accounts").status_code == 200
    row.user.groups.clear()
    assert client.get(f"{BASE}/accounts").status_code == 403, "the role is gone, and with it what the token carries"
    User.objects.update(is_active=False)
    assert client.get(f"{BASE}/me").status_code == 401
    User.objects.update(is_active=True)
    assert client.get(f"{BASE}/me").status_code == 200
    StaffToken.objects.update(created_at=timezone.now() - timedelta(days=2), expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(f"{BASE}/me").status_code == 401
    StaffToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    revoke_token(row.pk)
    assert client.get(f"{BASE}/me").status_code == 401


def test_a_token_is_not_issued_beyond_its_user_or_a_year(staff: Callable[..., User]) -> None:
    viewer, soon = staff(Role.VIEWER), timezone.now() + timedelta(days=1)
    for name, permissions, end in (
        ("x", ["accounts.read"], soon),
        ("x", [], soon),
        (" ", ["directory.read"], soon),
        ("x", ["directory.read"], timezone.now()),
        ("x", ["directory.read"], timezone.now() + timedelta(days=400)),
    ):
        with pytest.raises(InvalidInput):
            issue_token(viewer, name=name, permissions=permissions, expires_at=end)
    assert not StaffToken.objects.exists()


def test_tokens_stop_for_good_when_their_user_is_shut_out_or_gets_another_password(program: Callable[..., Client]) -> None:
    client = program(Role.FINANCE)
    user, boss = User.objects.get(), User(pk=0)
    staff_service.change_staff(user, Role.FINANCE, name="", active=False, by=boss)
    staff_service.change_staff(user, Role.FINANCE, name="", active=True, by=boss)
    assert client.get(f"{BASE}/me").status_code == 401
    client = program(Role.FINANCE)
    assert client.get(f"{BASE}/me").status_code == 200
    staff_service.reset_password(user)
    assert client.get(f"{BASE}/me").status_code == 401


def test_what_two_people_decide_rides_on_no_token_that_another_has_issued(program: Callable[..., Client]) -> None:
    client = program(Role.ADMINISTRATOR)
    held = set(client.get(f"{BASE}/me").json()["permissions"])
    assert held >= TWO_PERSON and {"chip.approve", "chip.decide", "keys.approve", "paycodes.approve"} <= TWO_PERSON
    StaffToken.objects.update(created_by="boss")
    assert set(client.get(f"{BASE}/me").json()["permissions"]) == held - TWO_PERSON


def test_two_names_never_differ_in_case_alone(centre: object) -> None:
    staff_service.create_staff("desk1", Role.CARD_DESK)
    with pytest.raises(InvalidInput, match="whatever its case"):
        staff_service.create_staff("DESK1", Role.CARD_DESK)
    assert User.objects.count() == 1


def test_too_many_wrong_tokens_have_to_wait_also_with_a_right_one(token: Callable[..., str]) -> None:
    client, right = anybody(), token()
    for _ in range(failures.LIMIT):
        assert client.get(f"{BASE}/me", headers={"authorization": "Bearer oct_wrong"}).status_code == 401
    held = client.get(f"{BASE}/me", headers={"authorization": f"Bearer {right}"})
    assert (held.status_code, held.json()["code"]) == (429, "AUTH.TOO_MANY")
    assert 0 < int(held.headers["Retry-After"]) <= failures.WINDOW_S + 1
    elsewhere = Client(headers={"host": "127.0.0.1", "authorization": f"Bearer {right}"}, REMOTE_ADDR="10.1.1.1")
    assert elsewhere.get(f"{BASE}/me").status_code == 200


def test_a_wrong_token_is_not_saved_by_a_session(signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    assert client.get(f"{BASE}/me").status_code == 200
    assert client.get(f"{BASE}/me", headers={"authorization": "Bearer oct_wrong"}).status_code == 401


def test_a_session_opens_nothing_before_the_password_is_changed(staff: Callable[..., User]) -> None:
    client = anybody()
    client.force_login(staff(must_change=True), backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(f"{BASE}/me").status_code == 401


def test_a_session_changes_nothing_without_its_csrf_token(staff: Callable[..., User]) -> None:
    staff()
    strict = Client(headers={"host": "127.0.0.1"}, enforce_csrf_checks=True)
    strict.get("/centre/login/")
    form = {"username": "administrator", "password": PASSWORD, "csrfmiddlewaretoken": strict.cookies["onecard_csrf"].value}
    assert strict.post("/centre/login/", form).status_code == 302
    refused = strict.post(f"{BASE}/echo-csrf", content_type="application/json")
    assert refused.status_code == 404, "an unknown address is none, whoever asks"


def test_what_fails_outside_an_operation_is_a_problem_too(program: Callable[..., Client]) -> None:
    client = program()
    for answer, status in (
        (client.get(f"{BASE}/nowhere"), 404),
        (client.delete(f"{BASE}/operators"), 405),
        (client.get("/api/"), 404),
    ):
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
        assert answer.json()["status"] == status
    wrong = client.get(f"{BASE}/operators", {"limit": "many", "after": "x"})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["where"].endswith("limit")
    assert client.get(f"{BASE}/operators", {"after": "x"}).json()["code"] == "INPUT.INVALID"
    assert not LogEntry.objects.filter(additional_data__act="called over REST").exists(), "nothing was changed"
