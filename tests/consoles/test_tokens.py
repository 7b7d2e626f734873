"""Tokens of programs on their page: shown once, listed without their text, revoked; and the card types of an operator."""

import re
from collections.abc import Callable

from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from onecard.consoles.centre.models import StaffToken
from onecard.consoles.centre.roles import Role
from onecard.services.operators.models import OperatorCardType
from tests.settlement.city import City


def test_a_token_is_shown_once_and_revoked_for_good(city: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    page = client.get("/centre/centre/stafftoken/add/").content.decode()
    assert "See operators, units, merchants and card types" in page
    form = {
        "name": "desk 3", "permissions": ["directory.read"],
        "expires_at_0": "2027-01-31", "expires_at_1": "12:00:00",
    }  # fmt: skip
    shown = client.post("/centre/centre/stafftoken/add/", form, follow=True).content.decode()
    (text,) = set(re.findall(r"oct_[\w-]{43}", shown))
    program = Client(headers={"host": "127.0.0.1", "authorization": f"Bearer {text}"})
    assert program.get("/api/workstation/v1/operators").status_code == 200
    token = StaffToken.objects.get()
    assert (token.created_by, token.permissions) == ("administrator", ["directory.read"])
    for address in ("/centre/centre/stafftoken/", f"/centre/centre/stafftoken/{token.pk}/change/", "/centre/auditlog/logentry/"):
        again = client.get(address).content.decode()
        assert text not in again and bytes(token.digest).hex() not in again, address
    assert client.post(f"/centre/centre/stafftoken/{token.pk}/revoke/").status_code == 302
    assert program.get("/api/workstation/v1/operators").status_code == 401
    assert LogEntry.objects.filter(additional_data__act="token revoked").count() == 1


def _form(**more: object) -> dict[str, object]:
    return {"name": "x", "permissions": ["directory.read"], "expires_at_0": "2027-01-31", "expires_at_1": "12:00:00", **more}


def test_a_refused_token_says_why_on_the_form(city: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.VIEWER, english=True)
    page = client.post("/centre/centre/stafftoken/add/", _form(permissions=["accounts.read"])).content.decode()
    assert "accounts.read is not one of the available choices" in page and not StaffToken.objects.exists()


def test_nobody_issues_or_sees_a_token_of_anothers_and_an_administrator_revokes_it(
    city: City, staff: Callable[..., User], signed_in: Callable[..., Client]
) -> None:
    other, boss = signed_in(Role.CARD_DESK), signed_in(english=True)
    owner = User.objects.get(username="card-desk")
    boss.post("/centre/centre/stafftoken/add/", _form(user=owner.pk))
    assert StaffToken.objects.get().user.username == "administrator", "a user in the form is not read"
    other.post("/centre/centre/stafftoken/add/", _form())
    mine, his = StaffToken.objects.order_by("id")
    assert (his.user, his.created_by) == (owner, "card-desk")
    assert f"stafftoken/{mine.pk}/" not in other.get("/centre/centre/stafftoken/").content.decode()
    assert other.post(f"/centre/centre/stafftoken/{mine.pk}/revoke/").status_code == 404
    assert boss.post(f"/centre/centre/stafftoken/{his.pk}/revoke/").status_code == 302
    assert list(StaffToken.objects.filter(revoked_at=None)) == [mine]


def test_card_types_are_allowed_on_the_operators_page(city: City, signed_in: Callable[..., Client]) -> None:
    client, owner = signed_in(english=True), city.operators["A"]
    page = f"/centre/operators/operator/{owner.pk}"
    assert "this operator can issue no cards" in client.get(f"{page}/change/").content.decode()
    for mode in ("unified", "local"):
        answer = client.post(f"{page}/card-types/", {"card_type": city.card_type.pk, "issuing_mode": mode})
        assert answer.headers["Location"] == f"{page}/change/"
        assert OperatorCardType.objects.get(operator=owner).issuing_mode == mode
    assert client.post(f"{page}/card-types/", {"card_type": 999, "issuing_mode": "local"}).status_code == 302
    assert client.post(f"{page}/card-types/", {"card_type": city.card_type.pk, "issuing_mode": "none"}).status_code == 302
    assert OperatorCardType.objects.get(operator=owner).issuing_mode == "local"
    changes = LogEntry.objects.filter(content_type__model="operatorcardtype").order_by("id")
    assert [row.action for row in changes] == [LogEntry.Action.CREATE, LogEntry.Action.UPDATE]
