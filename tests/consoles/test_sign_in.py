"""Signing in: lock-out, one-time passwords, where one goes afterwards, and the end of a session."""

import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from onecard.consoles.centre.api import ensure_admin
from tests.consoles.conftest import PASSWORD
from tests.support.postgres import TestDatabase

LOGIN = "/centre/login/"


def sign_in(client: Client, password: str, *, name: str = "administrator", next_page: str = "", **headers: str) -> int:
    data = {"username": name, "password": password, "next": next_page}
    return client.post(LOGIN, data, headers=headers).status_code


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "127.0.0.1"})


def test_the_right_password_leads_to_the_home_page_with_guarded_cookies(client: Client, staff: Callable[..., User]) -> None:
    staff()
    answer = client.post(LOGIN, {"username": "administrator", "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/centre/")
    cookie = client.cookies["onecard_session"]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert User.objects.get().password.startswith("argon2$argon2id$")


def test_the_visitor_goes_where_they_wanted_but_never_to_another_site(client: Client, staff: Callable[..., User]) -> None:
    staff()
    page = client.get("/centre/transactions/?q=1")
    assert page.headers["Location"] == "/centre/login/?next=/centre/transactions/%3Fq%3D1"
    assert 'name="next" value="/centre/transactions/?q=1"' in client.get(page.headers["Location"]).content.decode()
    for wanted, reached in (("/centre/transactions/?q=1", "/centre/transactions/?q=1"), ("https://evil.example/", "/centre/")):
        answer = client.post(LOGIN, {"username": "administrator", "password": PASSWORD, "next": wanted})
        assert answer.headers["Location"] == reached


def test_five_wrong_passwords_lock_that_name_from_that_address_only(client: Client, staff: Callable[..., User]) -> None:
    staff()
    assert [sign_in(client, "wrong") for _ in range(5)] == [200, 200, 200, 200, 429]
    assert sign_in(client, PASSWORD) == 429
    assert sign_in(client, "wrong", **{"x-forwarded-for": "10.9.9.9"}) == 429, "a client may not choose its address"
    elsewhere = Client(headers={"host": "127.0.0.1"}, REMOTE_ADDR="10.1.1.1")
    assert sign_in(elsewhere, PASSWORD) == 302
    assert sign_in(client, "wrong", name="somebody") == 200


def test_a_one_time_password_opens_nothing_but_the_page_that_changes_it(client: Client, centre: TestDatabase) -> None:
    password = ensure_admin("root")
    assert password is not None and len(password) == 16
    assert ensure_admin("root") is None
    assert sign_in(client, password, name="root") == 302
    change = reverse("admin:password_change")
    assert client.get("/centre/transactions/").headers["Location"] == change
    assert client.get("/centre/live.json").headers["Location"] == change

    def put(new: str) -> int:
        return client.post(change, {"old_password": password, "new_password1": new, "new_password2": new}).status_code

    assert put(password) == 200, "the one-time password may not be kept"
    assert put("short-1") == 200
    assert put(PASSWORD) == 302
    assert client.get("/centre/transactions/").status_code == 200


def test_a_session_ends_after_an_hour_without_anybody_there(client: Client, staff: Callable[..., User]) -> None:
    staff()
    sign_in(client, PASSWORD)
    assert client.get("/centre/").status_code == 200
    session = client.session
    session["seen_at"] = int(time.time()) - 3590
    session.save()
    assert client.get("/centre/live.json", headers={"x-onecard-poll": "1"}).status_code == 200
    assert client.session["seen_at"] < time.time() - 3000, "a page that polls by itself is nobody"
    session = client.session
    session["seen_at"] = int(time.time()) - 3601
    session.save()
    assert client.get("/centre/").headers["Location"].startswith(LOGIN)


def test_a_form_from_elsewhere_is_refused(staff: Callable[..., User]) -> None:
    staff()
    strict = Client(headers={"host": "127.0.0.1"}, enforce_csrf_checks=True)
    answer = strict.post(LOGIN, {"username": "administrator", "password": PASSWORD})
    assert answer.status_code == 403
    assert "表单已失效" in answer.content.decode()
