"""Admission over a real gateway: enrolling, who is refused, cutting off within 5 s when a unit ends, and bringing back."""

import asyncio
import hashlib
import json
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.db import connections

from onecard.datacenter.home import Home
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput
from onecard.services.devices import api
from onecard.services.devices.ca import CertificateAuthority
from onecard.services.devices.models import EnrolmentCode, Line, RefusedAttempt
from onecard.services.operators import api as operators
from onecard.services.operators.models import Unit
from onecard.terminal import enrol as device
from onecard.terminal.errors import LineDown, LineRefused
from onecard.terminal.native import NativeClient
from onecard.terminal.tls import Identity
from tests.admission.conftest import ADMIN
from tests.admission.house import House, front_end, running, until
from tests.support.postgres import TestDatabase

CUT_OFF_S = 5.0
HOURS = {"renew_hours": 6, "warn_hours": 24, "no_new_cards_hours": 72, "no_sales_hours": 168, "stop_hours": 336}


@pytest.fixture
def unit(root: int) -> int:
    now = datetime.now(UTC)
    made = Unit.objects.create(
        operator_id=root, code="SCHOOL", name="一中", state="active", purse_order=2, valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=365),
    )  # fmt: skip
    return made.pk


@pytest.fixture
def house(home: Home, make_vault, unit: int, django_database: TestDatabase) -> Iterator[House]:
    """With the keys behind the vault, as in a city."""
    make_vault()
    api.ensure_gateway_files()
    with running(home, django_database) as made:
        api.set_admission_settings(f"127.0.0.1:{made.enrol}", HOURS, actor=ADMIN)
        yield made


def new_line(unit: int, kind: str, name: str = "一号") -> int:
    return api.create_line(api.NewLine(name, kind=kind, unit_id=unit))


def enrolled(line: int, folder: Path) -> device.Enrolment:
    return device.enrol(api.make_enrolment_code(line_id=line, actor=ADMIN).uri, folder)


async def connected(port: int, identity: Identity, *, within_s: float) -> tuple[NativeClient, float]:
    """A line that is up, and how long it was refused before."""
    begin = time.monotonic()
    while True:
        client = NativeClient("127.0.0.1", port, identity)
        try:
            await client.connect()
            return client, time.monotonic() - begin
        except (LineDown, LineRefused):
            await client.close()
            assert time.monotonic() - begin < within_s, f"not let in within {within_s} s"
            await asyncio.sleep(0.1)


async def cut_off(client: NativeClient, *, within_s: float) -> float:
    """How long it took until the platform closed the line."""
    begin = time.monotonic()
    while client.is_open:
        assert time.monotonic() - begin < within_s, f"not cut off within {within_s} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - begin


async def refusal(house: House, identity: Identity) -> int:
    client = NativeClient("127.0.0.1", house.native, identity)
    with pytest.raises(LineRefused) as caught:
        await client.connect()
    await client.close()
    return caught.value.result


async def in_thread(work, *args):
    """The database of the services is not for the event loop."""

    def run():
        try:
            return work(*args)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


def test_a_device_enrols_itself_and_every_interruption_can_be_resumed(
    house: House, unit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = new_line(unit, "front_end")
    code = api.make_enrolment_code(line_id=line, actor=ADMIN)
    folder = tmp_path / "fep"
    write, steps = device._write, 0
    while True:
        # Killed before its n-th write: key stored, answer stored, each of the four files.
        left = steps

        def dying(path: Path, content: str, *, mode: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            write(path, content, mode=mode)

        monkeypatch.setattr(device, "_write", dying)
        try:
            made = device.enrol(code.uri, folder, hosts=["fep.school.lan"])
            break
        except KeyboardInterrupt:
            steps += 1
    monkeypatch.setattr(device, "_write", write)
    assert steps >= 3, "it was interrupted in several places"
    assert (made.line_id, made.terminal_id, made.gateway) == (line, 0, f"127.0.0.1:{house.enrol}")
    assert sorted(file.name for file in folder.iterdir()) == ["ca.pem", "cert.pem", "key.pem", "line.json"]
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
    assert bytes(Line.objects.get(pk=line).certificate_sha256 or b"").hex() == made.certificate_sha256
    assert device.enrol(code.uri, folder) == made == device.load_enrolment(folder), "the same code again changes nothing"
    with pytest.raises(LineRefused) as refused:
        device.enrol(code.uri, tmp_path / "thief")
    assert refused.value.zh.endswith("登记码已使用") and refused.value.en.endswith("the code has been used")
    assert refused.value.en.isascii(), "each language in its own line"
    assert not (tmp_path / "thief" / "cert.pem").exists()
    again = enrolled(line, folder)
    assert again.certificate_sha256 != made.certificate_sha256
    assert json.loads((folder / "line.json").read_text())["certificate_sha256"] == again.certificate_sha256


def test_a_device_sends_its_code_to_nobody_but_the_platform(house: House, unit: int, tmp_path: Path) -> None:
    line = new_line(unit, "terminal")
    uri = api.make_enrolment_code(line_id=line, actor=ADMIN).uri
    real = api.root_sha256().hex()
    with pytest.raises(LineRefused, match="its authority is not the one of the code"):
        device.enrol(uri.replace(real, hashlib.sha256(b"another").hexdigest()), tmp_path / "a")
    with pytest.raises(LineDown):
        device.enrol(uri.replace(f":{house.enrol}", ":1"), tmp_path / "a")
    for wrong in ("http://enrol?code=1", uri.replace(real, "00"), uri.replace("code=", "cod="), "onecard://enrol?gateway=x"):
        with pytest.raises(InvalidInput):
            device.enrol(wrong, tmp_path / "a")
    assert EnrolmentCode.objects.get().used_at is None
    assert device.enrol(uri, tmp_path / "a").line_id == line


def test_who_is_refused_is_an_event_with_address_and_certificate(house: House, unit: int, tmp_path: Path) -> None:
    line = new_line(unit, "terminal")
    first = enrolled(line, tmp_path / "line")
    old = Identity(tmp_path / "old-ca.pem", tmp_path / "old.pem", tmp_path / "old.key")
    for kept, file in ((old.ca, "ca.pem"), (old.certificate, "cert.pem"), (old.key, "key.pem")):
        kept.write_bytes((tmp_path / "line" / file).read_bytes())
    enrolled(line, tmp_path / "line")
    stranger = CertificateAuthority.load_or_create(tmp_path / "stranger")
    key, csr = api.build_request()
    (tmp_path / "s.key").write_bytes(key)
    pem = stranger.issue_client(csr, common_name=f"line-{line}", now=datetime.now(UTC)).pem
    (tmp_path / "s.pem").write_bytes(pem)

    async def try_all() -> None:
        assert await refusal(house, old) == Result.TERMINAL_NOT_ALLOWED
        foreign = NativeClient("127.0.0.1", house.native, Identity(first.identity.ca, tmp_path / "s.pem", tmp_path / "s.key"))
        with pytest.raises(LineDown):
            await foreign.connect()
        await foreign.close()

    # The gateway hears of the new certificate within a second; until then the old one is still good.
    until(lambda: _refused(house, old), CUT_OFF_S)
    asyncio.run(try_all())
    with pytest.raises(LineRefused):
        device.enrol(api.make_enrolment_code(line_id=line, actor=ADMIN).uri.replace("code=", "code=Z"), tmp_path / "bad")
    until(lambda: RefusedAttempt.objects.values("reason").distinct().count() >= 3, 20, what=lambda: house.log.read_text()[-2000:])
    by_reason = {row.reason: row for row in RefusedAttempt.objects.all()}
    listed, untrusted, code = by_reason["not_listed"], by_reason["certificate_untrusted"], by_reason["enrolment_code"]
    assert {row.address for row in by_reason.values()} == {"127.0.0.1"}
    assert bytes(listed.certificate_sha256).hex() == first.certificate_sha256
    assert (listed.line_id, listed.subject) == (line, f"CN=line-{line}")
    der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
    assert bytes(untrusted.certificate_der) == der and untrusted.line_id is None
    assert bytes(code.certificate_der) == b""


def _refused(house: House, identity: Identity) -> bool:
    async def ask() -> bool:
        client = NativeClient("127.0.0.1", house.native, identity)
        try:
            await client.connect()
        except LineRefused:
            return True
        finally:
            await client.close()
        return False

    return asyncio.run(ask())


def test_the_end_of_a_unit_cuts_its_lines_off_within_5_s_and_an_extension_brings_them_back(
    house: House, unit: int, tmp_path: Path
) -> None:
    made = {kind: enrolled(new_line(unit, kind, kind), tmp_path / kind) for kind in ("front_end", "terminal")}
    after: dict[str, list[float]] = {"cut off": [], "back": []}

    async def live() -> None:
        clients = [(await connected(house.native, one.identity, within_s=CUT_OFF_S))[0] for one in made.values()]
        lease = await clients[0].ask_lease()
        assert lease.code == Result.APPROVED and lease.lease

        # Its validity ends by itself: nobody does anything at that moment.
        end = datetime.now(UTC) + timedelta(seconds=3)
        await in_thread(lambda: Unit.objects.filter(pk=unit).update(valid_until=end))
        for client in clients:
            await cut_off(client, within_s=3 + CUT_OFF_S)
            after["cut off"].append((datetime.now(UTC) - end).total_seconds())
        for one in made.values():
            assert await refusal(house, one.identity) == Result.UNIT_EXPIRED
        assert await in_thread(operators.expire_units) == [unit]
        for one in made.values():
            assert await refusal(house, one.identity) == Result.UNIT_EXPIRED

        # Extended by a person: they come back by themselves.
        await in_thread(lambda: operators.extend_unit(unit, valid_until=datetime.now(UTC) + timedelta(days=30)))
        back = [await connected(house.native, one.identity, within_s=CUT_OFF_S) for one in made.values()]
        after["back"] = [seconds for _, seconds in back]

        # Ended by a person.
        await in_thread(lambda: operators.set_unit_state(unit, "suspended"))
        for client, _ in back:
            after["cut off"].append(await cut_off(client, within_s=CUT_OFF_S))
            await client.close()
        for client in clients:
            await client.close()

    asyncio.run(live())
    assert all(-0.1 < seconds < CUT_OFF_S for seconds in after["cut off"]), after
    assert all(seconds < CUT_OFF_S for seconds in after["back"]), after
    print(f"seconds after the change: {after}")


def test_devices_behind_a_front_end_are_cut_off_with_it_within_5_s_and_come_back_with_it(
    house: House, unit: int, tmp_path: Path
) -> None:
    line = new_line(unit, "front_end")
    merchant = operators.create_merchant("食堂", unit_id=unit).pk
    (terminal,) = api.create_terminals([api.NewTerminal(merchant, line)])
    enrolled(line, tmp_path / "fep")
    pos = device.enrol(api.make_enrolment_code(terminal_id=terminal, actor=ADMIN).uri, tmp_path / "pos")
    assert (pos.line_id, pos.terminal_id) == (line, terminal)

    async def live(port: int) -> dict[str, float]:
        client, _ = await connected(port, pos.identity, within_s=30)
        assert list(client.terminals) == [terminal]
        end = datetime.now(UTC) + timedelta(seconds=2)
        await in_thread(lambda: Unit.objects.filter(pk=unit).update(valid_until=end))
        await cut_off(client, within_s=2 + CUT_OFF_S)
        after = (datetime.now(UTC) - end).total_seconds()
        await client.close()
        await in_thread(lambda: operators.extend_unit(unit, valid_until=datetime.now(UTC) + timedelta(days=30)))
        again, back = await connected(port, pos.identity, within_s=30)
        await in_thread(lambda: api.revoke_line(line, actor=ADMIN))
        revoked = await cut_off(again, within_s=CUT_OFF_S)
        await again.close()
        return {"cut off": after, "back": back, "revoked": revoked}

    with front_end(tmp_path / "fep", house.native) as port:
        after = asyncio.run(live(port))
    assert after["cut off"] < CUT_OFF_S, after
    print(f"seconds after the change, behind a front-end: {after}")


def test_a_rolled_and_a_revoked_line_lose_their_connection_within_5_s(house: House, unit: int, tmp_path: Path) -> None:
    line = new_line(unit, "front_end")
    first = enrolled(line, tmp_path / "a")

    async def live() -> None:
        client, _ = await connected(house.native, first.identity, within_s=CUT_OFF_S)
        uri = await in_thread(lambda: api.roll_line(line, actor=ADMIN).uri)
        assert client.is_open
        second = await asyncio.to_thread(device.enrol, uri, tmp_path / "b")
        await cut_off(client, within_s=CUT_OFF_S)
        await client.close()
        again, _ = await connected(house.native, second.identity, within_s=CUT_OFF_S)
        await in_thread(lambda: api.revoke_line(line, actor=ADMIN))
        await cut_off(again, within_s=CUT_OFF_S)
        await again.close()
        assert await refusal(house, second.identity) == Result.TERMINAL_NOT_ALLOWED
        new = await in_thread(lambda: api.reopen_line(line, actor=ADMIN))
        third = await in_thread(enrolled, new, tmp_path / "b")
        last, _ = await connected(house.native, third.identity, within_s=CUT_OFF_S)
        await last.close()

    asyncio.run(live())
