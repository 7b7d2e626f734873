"""A module gets its number and keys, is resumed wherever it was interrupted, and then makes the MACs of the platform's keys."""

import itertools
from collections.abc import Callable

import pytest

from onecard.kernel.errors import Forbidden, InvalidInput, RuleViolated
from onecard.protocol.purse import proofs
from onecard.protocol.purse.apdu import Response
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import area_factor, card_factor, diversify_path
from onecard.protocol.purse.proofs import Purchase
from onecard.protocol.purse.samcommands import SamPurchase
from onecard.services.actors import Actor
from onecard.services.keys.api import KeyMissing, KeyUse, Vault
from onecard.services.keys.custody.components import Scheme, split
from onecard.services.keys.models import Usage
from onecard.services.keys.models.sams import SamState
from onecard.services.keys.sams import perso, stock
from onecard.terminal.sam.virtual import VirtualSam

SYSTEM = Actor.system("test")
PURCHASE_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
MAKER_KEY = bytes(range(16))
SAM_NO = 0xA0000001


@pytest.fixture
def filled(vault: Vault) -> Vault:
    """Active keys of what a module needs; the purchase key and the maker's are known to the test."""
    for use, known in (("purchase", PURCHASE_KEY), ("transport", MAKER_KEY), ("block", None), ("sam_control", None)):
        if known is None:
            made = vault.rotate(use, actor=SYSTEM)
        else:
            scheme = Scheme(2, 2)
            parts = [vault.seal_component(part, context="test", algorithm=0) for part in split(scheme, known)]
            made = vault.combine_components(use, scheme, parts, actor=SYSTEM)
        vault.activate(made.key_id, actor=SYSTEM)
    return vault


def received(number: int = SAM_NO) -> int:
    stock.order_sams(1, order_ref="PO-1", first_no=number, actor=SYSTEM)
    stock.receive_sams([f"CHIP{number:08X}"], order_ref="PO-1", actor=SYSTEM)
    return number


def powered() -> VirtualSam:
    sam = VirtualSam.in_memory(transport_key=MAKER_KEY)
    sam.power_on()
    return sam


def mac1_is_right(sam: VirtualSam, number: int, *, key_version: int = 1, root: bytes = PURCHASE_KEY) -> bool:
    """Whether the module makes MAC1 with the purchase key derived for a card two levels down, under its own number."""
    asked = SamPurchase(
        random=b"\1\2\3\4",
        counter=7,
        amount_fen=1234,
        transaction_type=6,
        moment=bytes.fromhex("20261122100000"),
        key_version=key_version,
        algorithm=0,
        card=card_factor(1001000000000017),
        area=area_factor(1001),
    )
    sam.power_on()
    assert Response.parse(sam.transmit(bytes.fromhex("00A4000002DF01"))).is_ok
    answer = Response.parse(sam.transmit(bytes.fromhex("80700000") + bytes((0x24,)) + asked.body() + b"\x08"))
    assert answer.is_ok, hex(answer.sw)
    key = diversify_path(Algorithm.DES3, root, [asked.area, asked.card])
    seq = int.from_bytes(answer.data[:4], "big")
    session = proofs.purchase_session(Algorithm.DES3, key, random=asked.random, card_counter=7, terminal_seq=seq)
    purchase = Purchase(1234, 6, number, seq, asked.moment)
    return answer.data[4:] == proofs.mac4(Algorithm.DES3, session, purchase.mac1_data())


def test_a_personalised_module_makes_the_macs_of_the_platforms_key(filled: Vault) -> None:
    number, sam = received(), powered()
    heard: list[tuple[int, int, str]] = []
    perso.personalise_sam(number, sam.transmit, actor=SYSTEM, report=lambda *step: heard.append(step))
    found = stock.get_sam(number)
    assert found.state == SamState.PERSONALISED
    assert found.key_versions == {"purchase": [1, 1, 0], "block": [1, 1, 0], "sam_control": [1, 1, 0]}
    assert [step for step, _, _ in heard] == list(range(1, heard[0][1] + 1))
    assert heard[-1][2] == "master.key.sam_control", "the maker's key goes last"
    assert mac1_is_right(sam, number)
    assert Usage.objects.filter(subject=f"SAM {number}", operation="sam.load_key").count() == 3


def test_an_interruption_at_any_command_is_resumed(filled: Vault) -> None:
    """Before it reaches the module, and after, with the answer lost; the last command of all is one of them."""
    interrupted = 0
    for at, before in itertools.product(range(1, 100), (True, False)):
        number, sam = received(SAM_NO + 2 * at + before), powered()
        try:
            perso.personalise_sam(number, torn(sam.transmit, at, before=before), actor=SYSTEM)
        except ConnectionError:
            interrupted += 1
        else:
            break
        assert stock.get_sam(number).state == SamState.RECEIVED
        sam.power_off()
        sam.power_on()
        perso.personalise_sam(number, sam.transmit, actor=SYSTEM)
        assert stock.get_sam(number).state == SamState.PERSONALISED
        assert mac1_is_right(sam, number)
    assert interrupted > 30


def torn(transmit: Callable[[bytes], bytes], at: int, *, before: bool) -> Callable[[bytes], bytes]:
    """The line breaks at the n-th command: before it reaches the module, or after, with the answer lost."""
    count = 0

    def carry(command: bytes) -> bytes:
        nonlocal count
        count += 1
        if count == at and before:
            raise ConnectionError
        answer = transmit(command)
        if count == at:
            raise ConnectionError
        return answer

    return carry


def test_another_modules_card_on_the_reader_is_refused(filled: Vault) -> None:
    first, sam = received(), powered()
    perso.personalise_sam(first, sam.transmit, actor=SYSTEM)
    other = received(SAM_NO + 1)
    sam.power_on()
    with pytest.raises(InvalidInput, match="refused a step"):
        perso.personalise_sam(other, sam.transmit, actor=SYSTEM)
    assert stock.get_sam(other).state == SamState.RECEIVED
    stock.block_sam(first, reason="x", actor=SYSTEM)
    with pytest.raises(RuleViolated, match="K3"):
        perso.personalise_sam(first, sam.transmit, actor=SYSTEM)
    with pytest.raises(Forbidden):
        perso.personalise_sam(other, sam.transmit, actor=Actor("x", frozenset({"keys.read"})))


def test_without_the_keys_nothing_is_written(vault: Vault) -> None:
    number, sam = received(), powered()
    with pytest.raises(KeyMissing):
        perso.personalise_sam(number, torn(sam.transmit, 1, before=True), actor=SYSTEM)
    assert KeyUse.PURCHASE not in vault.open_sam_personalisation(number).versions()


NEXT_KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")


def bring_in(vault: Vault, use: str, known: bytes | None = None) -> None:
    """The next version of a key, active; the one before is in its overlap."""
    if known is None:
        made = vault.rotate(use, actor=SYSTEM)
    else:
        scheme = Scheme(2, 2)
        parts = [vault.seal_component(part, context="test", algorithm=0) for part in split(scheme, known)]
        made = vault.combine_components(use, scheme, parts, actor=SYSTEM)
    vault.activate(made.key_id, actor=SYSTEM)


@pytest.mark.parametrize("control_too", [False, True])
def test_after_a_change_of_key_a_module_takes_the_new_version_beside_the_old(filled: Vault, control_too: bool) -> None:
    number, sam = received(), powered()
    perso.personalise_sam(number, sam.transmit, actor=SYSTEM)
    assert mac1_is_right(sam, number)
    bring_in(filled, "purchase", NEXT_KEY)
    if control_too:
        bring_in(filled, "sam_control")
    sam.power_on()
    perso.personalise_sam(number, sam.transmit, actor=SYSTEM)
    found = stock.get_sam(number)
    assert found.state == SamState.PERSONALISED
    assert found.key_versions["purchase"] == [2, 2, 0]
    assert found.key_versions["sam_control"][0] == (2 if control_too else 1)
    assert mac1_is_right(sam, number), "cards of the old version are served within the overlap"
    assert mac1_is_right(sam, number, key_version=2, root=NEXT_KEY)
    assert sam.state.transaction_seq == 3, "the sequence goes on"


def test_a_module_made_within_an_overlap_serves_both_versions(filled: Vault) -> None:
    bring_in(filled, "purchase", NEXT_KEY)
    number, sam = received(), powered()
    perso.personalise_sam(number, sam.transmit, actor=SYSTEM)
    assert mac1_is_right(sam, number)
    assert mac1_is_right(sam, number, key_version=2, root=NEXT_KEY)


def test_a_second_personalisation_is_resumed_wherever_it_was_interrupted(filled: Vault) -> None:
    number, sam = received(), powered()
    perso.personalise_sam(number, sam.transmit, actor=SYSTEM)
    bring_in(filled, "purchase", NEXT_KEY)
    bring_in(filled, "sam_control")
    interrupted = 0
    for at in range(1, 100):
        sam.power_on()
        try:
            perso.personalise_sam(number, torn(sam.transmit, at, before=False), actor=SYSTEM)
        except ConnectionError:
            interrupted += 1
        else:
            break
    assert interrupted > 20
    assert stock.get_sam(number).key_versions["sam_control"][0] == 2
    assert mac1_is_right(sam, number, key_version=2, root=NEXT_KEY)


def test_a_rotation_after_a_lost_last_answer_leaves_no_module_without_the_new_key(filled: Vault) -> None:
    number, sam = received(), powered()
    total: list[int] = []

    def count(command: bytes) -> bytes:
        total.append(1)
        return sam.transmit(command)

    perso.personalise_sam(number, count, actor=SYSTEM)
    other, again = received(number + 1), powered()
    with pytest.raises(ConnectionError):
        perso.personalise_sam(other, torn(again.transmit, len(total), before=False), actor=SYSTEM)
    bring_in(filled, "purchase", NEXT_KEY)
    again.power_on()
    perso.personalise_sam(other, again.transmit, actor=SYSTEM)
    assert mac1_is_right(again, other, key_version=2, root=NEXT_KEY)
