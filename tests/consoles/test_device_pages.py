"""The pages of devices: what they show, what they change, and that who is bound to operators sees and changes only theirs."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from onecard.consoles.centre.models import StaffOperator
from onecard.consoles.centre.roles import Role
from onecard.services.devices.models import Alarm, AlarmRecipient, Device, LineParameters, ParameterTemplate
from tests.consoles import devicecity
from tests.consoles.devicecity import DeviceCity
from tests.settlement.city import City

_BOARD = "/centre/device-status/"


@pytest.fixture
def devices(city: City) -> DeviceCity:
    return devicecity.build(city)


def text(client: Client, address: str, **query: object) -> str:
    answer = client.get(address, query)
    assert answer.status_code == 200, address
    return answer.content.decode()


def test_the_board_filters_counts_and_refreshes_a_part(city: City, devices: DeviceCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.VIEWER)
    tiles = {tile["code"]: tile["count"] for tile in client.get(_BOARD).context["tiles"]}
    assert tiles == {"": "3", "online": "2", "offline": "1", "never": "0", "out": "0", "alarmed": "3"}
    assert "食堂前置机" in text(client, _BOARD, state="offline") and "一号门" not in text(client, _BOARD, state="offline")
    assert "地铁直连" not in text(client, _BOARD, unit=city.units["works"].pk)
    assert "地铁直连" in text(client, _BOARD, q="fe-0003") and "一号门" not in text(client, _BOARD, q="fe-0003")
    model = Device.objects.get(serial="P80-0001").model_id
    assert "窗口 1" in text(client, _BOARD, view="terminals", model=model)
    part = client.get(_BOARD, headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith('<div class="oc-page" id="device-board"') and "<html" not in part


def test_the_page_of_a_line_says_all_that_is_known(devices: DeviceCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(Role.VIEWER, english=True)
    page = text(client, f"{_BOARD}lines/{devices.works}/")
    for words in ("bus 2: no answer", "61.2 %", "41–43", "FE-0001", "lid open", "Deny list 12", "P80-0001", "7 · 3 minutes"):
        assert words in page, words
    assert "P-80" in text(client, f"{_BOARD}terminals/{devices.terminal}/")
    assert client.post("/centre/device-registry/register/").status_code == 403, "who only looks changes nothing"


def test_a_template_is_previewed_and_then_applied_as_shown(devices: DeviceCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    model = Device.objects.get(serial="FE-0001").model_id
    address = f"/centre/device-parameters/template/?model={model}"
    seen = client.post(address, {"p-volume": "7", "p-language": "", "act": "preview"})
    assert seen.context["seen"]["touched"] == 3 and not ParameterTemplate.objects.exists(), "a preview changes nothing"
    token = seen.context["seen"]["token"]
    wrong = client.post(address, {"p-volume": "8", "act": "apply", "token": token})
    assert "look again" in wrong.content.decode() and not ParameterTemplate.objects.exists()
    assert client.post(address, {"p-volume": "7", "act": "apply", "token": token}).status_code == 302
    assert ParameterTemplate.objects.get().values == {"volume": 7} and LineParameters.objects.count() == 3
    assert "whole number 0–10" in client.post(address, {"p-volume": "11", "act": "preview"}).content.decode()


def test_a_device_is_registered_described_and_moved(city: City, devices: DeviceCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    new = {"maker": "Acme", "model": "FE-10", "serial": "FE-0009", "at": "operator", "operator": city.operators["A"].pk}
    assert client.post("/centre/device-registry/register/", new).status_code == 302
    device = Device.objects.get(serial="FE-0009")
    page = f"/centre/device-registry/{device.pk}/"
    assert client.post(f"{page}describe/", {"position": "shelf 3", "note": ""}).status_code == 302
    taken = client.post(f"{page}move/", {"at": "line", "where": devices.works, "note": "swap"})
    assert "there is a device at this line" in taken.content.decode()
    root = city.operators["root"].pk
    assert client.post(f"{page}move/", {"at": "operator", "operator": root, "note": "lent"}).status_code == 302
    device.refresh_from_db()
    assert (device.operator_id, device.place) == (root, "")
    assert "nothing was taken along" in text(client, page)


def test_an_alarm_is_seen_to_with_a_name_and_a_note(devices: DeviceCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    alarm = Alarm.objects.get(kind="tamper")
    page = f"/centre/device-alarms/{alarm.pk}/"
    client.post(page, {"act": "acknowledge", "note": " "})
    assert Alarm.objects.get(pk=alarm.pk).acknowledged_at is None, "without a note nothing is done"
    client.post(page, {"act": "acknowledge", "note": "guard is on the way"})
    client.post(page, {"act": "clear", "note": "lid closed"})
    shown = text(client, page)
    assert "administrator: guard is on the way" in shown and "administrator: lid closed" in shown
    assert str(alarm.pk) not in [str(each["pk"]) for each in client.get("/centre/device-alarms/").context["alarms"]]


def test_rules_and_recipients_are_kept_on_their_page(devices: DeviceCity, signed_in: Callable[..., Client]) -> None:
    client = signed_in(english=True)
    rules = "/centre/device-alarms/rules/"
    assert client.post(f"{rules}disk_low/", {"enabled": "on", "severity": 3, "threshold": 250, "settle_s": 5}).status_code == 302
    assert 'value="250"' in text(client, rules)
    bad = client.post(
        "/centre/device-alarms/recipients/", {"name": "x", "channel": "webhook", "address": "http://x.cn/", "severity": 2}
    )
    assert "address is https" in bad.content.decode()
    hook = {"name": "duty", "channel": "webhook", "address": "https://x.cn/a", "severity": 2}
    client.post("/centre/device-alarms/recipients/", hook)
    made = AlarmRecipient.objects.get()
    first = client.post(f"/centre/device-alarms/recipients/{made.pk}/", {"act": "secret"}).context["secret"]
    second = client.post(f"/centre/device-alarms/recipients/{made.pk}/", {"act": "rekey"}).context["secret"]
    assert first.startswith("whsec_") and first != second and first not in text(client, rules)


def test_who_is_bound_to_an_operator_sees_and_changes_its_devices_only(
    city: City, devices: DeviceCity, signed_in: Callable[..., Client]
) -> None:
    client = signed_in(english=True)
    StaffOperator.objects.create(staff_id=User.objects.get(username="administrator").pk, operator=city.operators["A"])
    theirs = Device.objects.get(serial="FE-0003")
    assert "地铁直连" not in text(client, _BOARD) and "地铁直连" not in text(client, _BOARD, operator=city.operators["root"].pk)
    assert "FE-0003" not in text(client, "/centre/device-registry/")
    alarm = Alarm.objects.get(line_id=devices.public)
    for address in (
        f"{_BOARD}lines/{devices.public}/",
        f"/centre/device-registry/{theirs.pk}/",
        f"/centre/device-alarms/{alarm.pk}/",
    ):
        assert client.get(address).status_code == 404, address
    assert client.post(f"/centre/device-alarms/{alarm.pk}/", {"act": "clear", "note": "x"}).status_code == 404
    assert alarm.pk not in [each["pk"] for each in client.get("/centre/device-alarms/").context["alarms"]]
    everybody = client.post(f"/centre/device-parameters/template/?model={theirs.model_id}", {"p-volume": "1", "act": "preview"})
    assert "some operators only" in everybody.content.decode(), "a model's template reaches everybody's devices"
    mine = Device.objects.get(serial="FE-0001")
    away = client.post(f"/centre/device-registry/{mine.pk}/move/", {"at": "line", "where": devices.public, "note": "x"})
    assert away.status_code == 200 and Device.objects.get(pk=mine.pk).line_id == devices.works
    rule = client.post("/centre/device-alarms/rules/disk_low/", {"severity": 1, "threshold": 1, "settle_s": 1})
    assert "bound to some operators" in rule.content.decode()
