"""Users who are bound to operators see those operators' rows and no others (N3), whatever they ask for."""

from collections.abc import Callable

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from onecard.consoles.centre import figures, identity, staff
from onecard.consoles.centre.models import StaffOperator
from onecard.consoles.centre.roles import Role
from onecard.kernel.errors import Forbidden, RuleViolated
from onecard.protocol.offline import CardTypeRule
from onecard.services.actors import Actor
from onecard.services.devices.api import define_model
from onecard.services.devices.models import DeviceModel, GatewayStatus, Line, LineStatus, Terminal
from onecard.services.offline import api as offline
from onecard.services.offline.models import DenyHold
from tests.consoles.conftest import signed_in  # noqa: F401 - said here for the reader
from tests.settlement.city import City, Holder


@pytest.fixture
def bound(city: City, signed_in: Callable[..., Client]) -> Callable[[Role], Client]:  # noqa: F811
    """Makes clients of a role who see operator A alone."""

    def make(role: Role) -> Client:
        client = signed_in(role, english=True)
        StaffOperator.objects.create(staff_id=User.objects.get(username=str(role)).pk, operator=city.operators["A"])
        return client

    return make


def _both(city: City) -> tuple[Holder, Holder]:
    """A holder of operator A and one of the root, who have paid at the root's shop; A's also in its canteen."""
    city.merchant("kiosk", operator="root")
    own, other = city.holder("A", public=50_000), city.holder("root", public=50_000)
    city.pay(own, "canteen", 1000, order=1)
    city.pay(own, "metro", 2000)
    city.pay(other, "kiosk", 3000)
    return own, other


def test_accounts_of_other_operators_do_not_exist(city: City, bound: Callable[[Role], Client]) -> None:
    own, other = _both(city)
    client = bound(Role.FINANCE)
    assert [row["account_no"] for row in client.get("/centre/accounts/").context["accounts"]] == [own.account_no]
    elsewhere = city.operators["root"].pk
    assert client.get("/centre/accounts/", {"operator": elsewhere}).context["accounts"] == []
    assert client.get("/centre/accounts/", {"q": other.card_no}).context["problem"]
    assert client.get(f"/centre/accounts/{other.account_no}/").status_code == 404
    assert client.get(f"/centre/accounts/{own.account_no}/").status_code == 200


def test_transactions_are_searched_within_the_own_operators(city: City, bound: Callable[[Role], Client]) -> None:
    own, other = _both(city)
    client = bound(Role.VIEWER)

    def amounts(**query: object) -> list[str]:
        return [row["amount"] for row in client.get("/centre/transactions/", query).context["transfers"]]

    assert "search by card" in client.get("/centre/transactions/").context["problem"]
    assert {"-10.00", "-20.00"} <= set(amounts(q=own.card_no))
    assert amounts(q=other.card_no) == []
    assert amounts(merchant="kiosk") == []
    assert amounts(merchant="metro") == ["-20.00"], "the own holder's purchase elsewhere"
    terminal = Terminal.objects.create(id=10_000 + city.merchants["kiosk"].pk, tid="KIOSK001", merchant=city.merchants["kiosk"])
    assert client.get("/centre/transactions/", {"terminal": terminal.tid}).context["records"] == []


def test_the_directory_the_tree_and_the_figures_are_cut_too(city: City, bound: Callable[[Role], Client]) -> None:
    _both(city)
    client = bound(Role.VIEWER)
    for table, mine, others in (
        ("operators/operator", "A运营", "root运营"),
        ("operators/merchant", "canteen", "kiosk"),
        ("operators/unit", "works单位", "kiosk"),
    ):
        rows = client.get(f"/centre/{table}/").content.decode().partition("result_list")[2]
        assert mine in rows and others not in rows, table
    assert client.get(f"/centre/operators/operator/{city.operators['root'].pk}/change/").status_code == 302
    tree = client.get("/centre/tree/").content.decode()
    assert "A运营" in tree and "root运营" not in tree
    live = client.get("/centre/live.json").json()
    assert [row["name"] for row in live["operators"]] == ["A运营"]
    assert live["tiles"]["today_sum"] == "10.00"


def test_live_figures_count_the_own_lines_and_terminals(
    city: City,
    bound: Callable[[Role], Client],
    signed_in: Callable[..., Client],  # noqa: F811
) -> None:
    now = timezone.now()
    GatewayStatus.objects.create(
        gateway="gw", reported_at=now, online_lines=2, online_terminals=2, refused_handshakes=0, requests_per_second_milli=0,
        latency_p50_us=0, latency_p99_us=0,
    )  # fmt: skip
    kiosk = city.merchant("kiosk", operator="root")
    owners = [{"unit": city.units["works"]}, {"operator": city.operators["root"]}, {"operator": city.operators["root"]}]
    for number, (owner, merchant) in enumerate(zip(owners, (city.merchants["canteen"], kiosk, kiosk), strict=True), start=1):
        line = Line.objects.create(name=f"line {number}", kind="front_end", **owner)
        Terminal.objects.create(id=20_000 + number, tid=f"T{number:07d}", merchant=merchant, line=line)
        LineStatus.objects.create(line=line, online=number != 3, since=now, gateway="gw")

    def shown(client: Client) -> list[str]:
        tiles = client.get("/centre/live.json").json()["tiles"]
        return [tiles[f"{what}_{which}"] for what in ("front_ends", "terminals") for which in ("online", "total")]

    before = Terminal.objects.count() - 3
    figures.forget()
    assert shown(signed_in(Role.FINANCE)) == ["2", "3", "2", str(before + 3)]
    own = Terminal.objects.filter(merchant__operator=city.operators["A"]).count()
    assert shown(bound(Role.VIEWER)) == ["1", "1", "1", str(own)] and own < before + 3


def test_off_line_rules_of_other_operators_units_do_not_exist(city: City, bound: Callable[[Role], Client]) -> None:
    city.unit("depot", "root")
    for unit in (None, city.units["works"], city.units["depot"]):
        offline.set_card_limit(CardTypeRule(per_day_count=7), unit_id=unit and unit.pk, actor=Actor.system("test"))
    page = bound(Role.VIEWER).get("/centre/offline/").content.decode()
    assert "works单位" in page and "depot单位" not in page and ">7<" in page.replace("\n", "").replace(" ", "")


def test_acts_on_the_whole_city_are_refused_to_who_is_bound(city: City, bound: Callable[[Role], Client]) -> None:
    client = bound(Role.ADMINISTRATOR)
    DenyHold.objects.create(since=timezone.now(), cards=901, added=900, removed=0)
    assert 'id="release"' not in client.get("/centre/offline/").content.decode()
    client.post("/centre/offline/release/")
    client.post("/centre/device-registry/model/", {"maker": "Acme", "model": "X-1", "capabilities": ["pay"]})
    assert 'id="model"' not in client.get("/centre/device-registry/").content.decode()
    assert offline.held_deny() is not None and not DeviceModel.objects.filter(model="X-1").exists()
    actor = Actor("wang", frozenset({"*"}), frozenset({city.operators["A"].pk}))
    for act in (lambda: offline.release_deny(actor=actor), lambda: define_model("Acme", "X-1", actor=actor)):
        with pytest.raises(Forbidden, match="bound to operators"):
            act()


def test_a_user_is_bound_on_the_staff_page_with_a_row_in_the_log(city: City, signed_in: Callable[..., Client]) -> None:  # noqa: F811
    client, a = signed_in(), city.operators["A"].pk
    form = {"username": "li", "first_name": "李", "role": "finance", "operators": [a], "is_active": "on"}
    assert client.post("/centre/auth/user/add/", form).status_code == 302
    made = User.objects.get(username="li")
    assert identity.actor_of(made).operators == {a}
    assert client.post(f"/centre/auth/user/{made.pk}/change/", form | {"operators": []}).status_code == 302
    assert identity.actor_of(made).operators is None
    assert LogEntry.objects.filter(additional_data__act="bound to operators", object_pk=str(made.pk)).count() == 1
    refused = client.post(f"/centre/auth/user/{made.pk}/change/", form | {"role": "administrator"})
    assert refused.status_code == 200 and "管理员不能限定运营单位" in refused.content.decode()
    with pytest.raises(RuleViolated):
        staff.create_staff("wang", Role.ADMINISTRATOR, operators=[a])
    assert not User.objects.filter(username="wang").exists()
