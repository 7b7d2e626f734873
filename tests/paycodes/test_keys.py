"""The public keys of payment codes on their way: from the vault over application server and gateway to the terminals."""

import asyncio

import pytest

from onecard.appserver.admission import AdmissionHub
from onecard.kernel.codes import Result
from onecard.services.paycodes import api as codes
from onecard.terminal.paycode import CodeRefused
from tests.paycodes.conftest import City


async def _until(city: City, wanted: dict[int, bytes]) -> None:
    """Sends heartbeats' worth of frames until every till has these keys."""
    from onecard.protocol.proto.records_pb2 import Records

    async with asyncio.timeout(20):
        while [till.memory.keys() for till in city.tills] != [wanted] * 2:
            for till in city.tills:
                enquiry = Records(
                    op=[10], terminal_id=[till.terminal_id], terminal_seq=[10**9], card_no=[8800_01_000_000_001_4],
                    amount_fen=[0], occurred_at_us=[1_790_000_000_000_000], orig_terminal_id=[0], orig_seq=[0],
                )  # fmt: skip
                await till.client.submit(enquiry)
            await asyncio.sleep(0.05)


def test_a_terminal_gets_the_keys_with_its_welcome(city: City) -> None:
    known = codes.public_keys()
    assert known and [till.memory.keys() for till in city.tills] == [known, known]


def test_a_key_that_comes_or_goes_reaches_lines_that_are_open(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    known = codes.public_keys()
    other = {max(known) + 1: bytes(32)}
    till = city.tills[0]
    account = city.platform.account()
    with monkeypatch.context() as patch:
        patch.setattr(codes, "public_keys", lambda: known | other)
        till.run(_until(city, known | other))
        patch.setattr(codes, "public_keys", lambda: other)
        till.run(_until(city, other))
        shown = city.code(account)
        with pytest.raises(CodeRefused) as refused:
            till.acceptor.pay_offline(shown.text, 100)
        assert refused.value.result is Result.CODE_INVALID
    till.run(_until(city, known))
    till.acceptor.pay_offline(shown.text, 100)
    (paid,) = till.upload()
    assert paid.code == 0


def test_while_the_vault_is_locked_terminals_keep_what_they_have(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    from onecard.services.keys.api import VaultLocked

    till, known = city.tills[0], codes.public_keys()
    asked = asyncio.Event()

    def locked() -> dict[int, bytes]:
        till.run.__self__.get_loop().call_soon_threadsafe(asked.set)
        raise VaultLocked("密钥库未开启", "the vault is locked")

    with monkeypatch.context() as patch:
        patch.setattr(codes, "public_keys", locked)
        till.run(asyncio.wait_for(asked.wait(), 20))
        till.run(till.client.close())
        till.run(till.client.connect())
        till.run(_until(city, known))
    assert till.memory.keys() == known


def test_a_server_that_never_knew_the_keys_says_nothing_of_them() -> None:
    async def first(hub: AdmissionHub) -> bool:
        from onecard.services.devices.admission import AdmissionChanges

        hub.apply(AdmissionChanges(full=True, lines=[]))
        stream = hub.watch("gw")
        event = await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        assert event.snapshot_end
        return event.HasField("pay_code_keys")

    silent, empty = AdmissionHub(), AdmissionHub()
    empty.set_pay_code_keys({})
    assert asyncio.run(first(silent)) is False
    assert asyncio.run(first(empty)) is True, "an open vault without keys says that there are none"
