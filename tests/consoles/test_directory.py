"""Changing the directory from the pages: through the services, with their refusals on the page and a row in the audit log."""

from collections.abc import Callable
from datetime import timedelta

from auditlog.models import LogEntry
from django.test import Client
from django.utils import timezone

from onecard.consoles.centre.roles import Role
from onecard.services.devices.models import Line, Terminal
from onecard.services.operators.models import Operator, Unit
from tests.settlement.city import City


def test_a_refusal_names_the_rule_and_the_number_on_the_form(city: City, signed_in: Callable[..., Client]) -> None:
    client, owner = signed_in(), city.operators["A"]
    Unit.objects.bulk_create(Unit(operator=owner, code=f"U{n:03d}", name=f"U{n:03d}") for n in range(254))
    form = {"operator": owner.pk, "code": "LAST", "name": "最后一家", "purse_order": 2}
    page = client.post("/centre/operators/unit/add/", form)
    assert page.status_code == 200
    assert "O1" in page.content.decode() and "255" in page.content.decode()
    assert not Unit.objects.filter(code="LAST").exists()
    assert not LogEntry.objects.filter(object_repr__contains="LAST").exists()


def test_making_and_changing_leaves_rows_with_who_what_and_from_where(city: City, signed_in: Callable[..., Client]) -> None:
    client, root = signed_in(), city.operators["root"]
    form = {"code": "NEW", "name": "新运营", "name_en": "", "parent": root.pk, "settlement_mode": "unified", "holder_cap": 10}
    assert client.post("/centre/operators/operator/add/", form).status_code == 302
    made = Operator.objects.get(code="NEW")
    assert client.post(f"/centre/operators/operator/{made.pk}/change/", form | {"holder_cap": 20}).status_code == 302
    assert client.post(f"/centre/operators/operator/{made.pk}/status/", {"status": "suspended"}).status_code == 302
    made.refresh_from_db()
    assert (made.holder_cap, made.status) == (20, "suspended")
    created, changed, state = LogEntry.objects.filter(object_pk=str(made.pk), content_type__model="operator").order_by("id")
    assert (created.action, created.actor.username, created.remote_addr) == (LogEntry.Action.CREATE, "administrator", "127.0.0.1")
    assert changed.changes == {"holder_cap": ["10", "20"]}
    assert state.changes == {"status": ["active", "suspended"]}
    log = client.get("/centre/auditlog/logentry/").content.decode()
    assert "变更状态" in log and "持卡人上限: 10 → 20" in log


def test_a_unit_lives_from_application_to_extension(city: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    unit = Unit.objects.create(operator=city.operators["A"], code="U1", name="学校")
    base = f"/centre/operators/unit/{unit.pk}"
    until = (timezone.localtime() + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M")
    opened = client.post(f"{base}/open/", {"valid_until": until, "application": ["payment"]}, follow=True)
    assert "one-time password, shown only now" in opened.content.decode()
    for state in ("commissioning", "active"):
        client.post(f"{base}/state/", {"state": state})
    refused = client.post(f"{base}/state/", {"state": "opened"}, follow=True)
    assert "O3" in refused.content.decode()
    past = client.post(f"{base}/extend/", {"valid_until": "2024-01-01T00:00"}, follow=True)
    assert "O4" in past.content.decode()
    client.post(f"{base}/extend/", {"valid_until": "2090-01-01T00:00"})
    unit.refresh_from_db()
    assert (unit.state, unit.valid_until.year) == ("active", 2089), "midnight in Shanghai is still the old year in UTC"
    password = opened.content.decode().split("shown only now: ")[1][:12]
    assert not any(password in str(entry.changes) + str(entry.additional_data) for entry in LogEntry.objects.all())


def test_terminals_and_lines_are_registered_disabled_and_revoked(city: City, signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    unit, merchant = city.units["works"], city.merchants["canteen"]
    client.post("/centre/devices/line/add/", {"name": "前置机", "kind": "front_end", "unit": unit.pk})
    line = Line.objects.get()
    form = {"tid": "POS00001", "merchant": merchant.pk, "line": line.pk, "driver": "native", "name": ""}
    client.post("/centre/devices/terminal/add/", form)
    terminal = Terminal.objects.get(tid="POS00001")
    again = client.post("/centre/devices/terminal/add/", form)
    assert again.status_code == 200, "the number is taken"
    client.post(f"/centre/devices/terminal/{terminal.pk}/state/", {"state": "disabled"})
    client.post(f"/centre/admission/lines/{line.pk}/revoke/", {"sure": "on", "number": line.pk})
    terminal.refresh_from_db()
    line.refresh_from_db()
    assert (terminal.state, line.state) == ("disabled", "revoked")
    for page in ("terminal", "line"):
        assert client.get(f"/centre/devices/{page}/").status_code == 200


def test_the_tree_shows_what_is_used_of_each_limit(city: City, signed_in: Callable[..., Client]) -> None:
    page = signed_in(Role.VIEWER).get("/centre/tree/").content.decode()
    assert "1 / 64" in page and "1 / 255" in page and "0 / 1,000,000" in page
    assert "works单位" in page


def test_an_administrator_cannot_shut_themselves_out(signed_in: Callable[..., Client]) -> None:
    client = signed_in()
    me = client.get("/centre/auth/user/").context["cl"].result_list[0]
    page = client.post(f"/centre/auth/user/{me.pk}/change/", {"role": "finance", "first_name": "", "is_active": "on"})
    assert page.status_code == 200 and "W1" in page.content.decode()
    made = client.post("/centre/auth/user/add/", {"username": "li", "role": "finance", "is_active": "on"}, follow=True)
    assert "一次性密码" in made.content.decode()
