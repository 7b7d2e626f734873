"""What each role may open, and what every answer carries: security headers, hosts, error pages, languages."""

from collections.abc import Callable

import pytest
from django.test import Client

from onecard.consoles.centre.roles import Role

VIEWER, FINANCE, DESK, KEYS, ADMIN = Role.VIEWER, Role.FINANCE, Role.CARD_DESK, Role.KEY_OFFICER, Role.ADMINISTRATOR
PAGES = {
    "/centre/": {VIEWER, FINANCE, DESK, KEYS, ADMIN},
    "/centre/tree/": {VIEWER, FINANCE, DESK, KEYS, ADMIN},
    "/centre/transactions/": {VIEWER, FINANCE, DESK, ADMIN},
    "/centre/quarantine/": {VIEWER, FINANCE, DESK, ADMIN},
    "/centre/settlement/": {VIEWER, FINANCE, ADMIN},
    "/centre/operators/unit/": {VIEWER, FINANCE, DESK, KEYS, ADMIN},
    "/centre/accounts/": {FINANCE, DESK, ADMIN},
    "/centre/deny-list/": {FINANCE, DESK, ADMIN},
    "/centre/auditlog/logentry/": {FINANCE, ADMIN},
    "/centre/operators/unit/add/": {ADMIN},
    "/centre/auth/user/": {ADMIN},
    "/centre/centre/stafftoken/": {VIEWER, FINANCE, DESK, KEYS, ADMIN},
    "/centre/centre/stafftoken/add/": {VIEWER, FINANCE, DESK, KEYS, ADMIN},
}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_its_pages_and_no_other(role: Role, signed_in: Callable[..., Client]) -> None:
    client = signed_in(role)
    opened = {page for page in PAGES if client.get(page).status_code == 200}
    assert opened == {page for page, roles in PAGES.items() if role in roles}
    assert client.post("/centre/settlement/cut/").status_code == (302 if role in {FINANCE, ADMIN} else 403)
    home = client.get("/centre/").content.decode()
    assert ("/centre/auth/user/" in home) == (role == ADMIN), "what may not be opened is not in the side bar"


def test_nobody_sees_anything_before_signing_in(centre: object) -> None:
    client = Client(headers={"host": "127.0.0.1"})
    for page in (*PAGES, "/centre/live.json"):
        assert client.get(page).headers["Location"].startswith("/centre/login/"), page


def test_every_answer_carries_the_security_headers(signed_in: Callable[..., Client]) -> None:
    headers = signed_in().get("/centre/").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    script = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert "'unsafe-inline'" not in script and "http" not in script
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "no-store" in headers["Cache-Control"]


def test_another_host_name_is_refused(centre: object) -> None:
    assert Client(headers={"host": "evil.example"}).get("/centre/login/").status_code == 400


def test_error_pages_say_nothing_of_the_inside_in_both_languages(signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    missing = client.get("/centre/accounts/1010000000024/")
    assert missing.status_code == 404
    assert "页面不存在" in missing.content.decode()
    client.cookies["onecard_language"] = "en"
    assert "Page not found" in client.get("/centre/nowhere/").content.decode()


def test_chinese_comes_first_whatever_the_browser_prefers(centre: object) -> None:
    client = Client(headers={"host": "127.0.0.1", "accept-language": "en"})
    assert "管理中心" in client.get("/centre/login/").content.decode()
    client.post("/i18n/setlang/", {"language": "en", "next": "/centre/login/"})
    page = client.get("/centre/login/").content.decode()
    assert "Management centre" in page and "管理中心" not in page
