"""One contract for both keepers, against the published vectors' keys and the pure functions of the purse."""

import json
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from onecard.kernel.errors import OneCardError
from onecard.protocol.purse import proofs, secure
from onecard.protocol.purse.ciphers import Algorithm, check_value, decrypt_ecb, encrypt_ecb
from onecard.protocol.purse.diversify import area_factor, card_factor, diversify_path
from onecard.services.keys.custody.components import Scheme, split
from onecard.services.keys.errors import AlgorithmUnsupported, KeeperFault, KeyNotExportable
from onecard.services.keys.keepers import envelope
from onecard.services.keys.keepers.base import Handle, Keeper, KeyPath, Slot, Stored
from onecard.services.keys.keepers.software import SoftwareKeeper
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level
from tests.keys.softhsm import softhsm

_VECTORS = Path(__file__).parents[3] / "shared" / "data" / "pboc-vectors.json"
CARD, OPERATOR = 1000000000000123, 44030000
DES3 = Algorithm.DES3


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with softhsm(tmp_path_factory.mktemp("softhsm")) as variables:
        yield variables


@pytest.fixture(params=["software", "pkcs11"])
def keeper(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    uid = os.urandom(16)
    made: Keeper
    if request.param == "software":
        made = SoftwareKeeper(envelope.new_data_key(), uid)
    else:
        from onecard.services.keys.keepers.pkcs11 import Pkcs11Keeper

        for name, value in request.getfixturevalue("token").items():
            monkeypatch.setenv(name, value)
        made = Pkcs11Keeper.open(uid, Pkcs11Keeper.prepare(uid))
    yield made
    made.close()


def slot(use: KeyUse, algorithm: KeyAlgorithm = KeyAlgorithm.DES3, *, version: int = 1, exportable: bool = False) -> Slot:
    return Slot(1, use, algorithm, Level.ROOT, 0, version, exportable)


def handle(slot_: Slot, stored: Stored) -> Handle:
    return Handle(slot_, stored.blob, stored.object_id)


def bring_in(keeper: Keeper, key: bytes, slot_: Slot) -> KeyPath:
    """A known key, as a ceremony brings it in."""
    scheme = Scheme(2, 3)
    sealed = [keeper.seal_component(part, context="test", cipher=Algorithm(slot_.algorithm)) for part in split(scheme, key)[:2]]
    stored = keeper.combine(slot_, scheme, sealed)
    assert stored.kcv == check_value(Algorithm(slot_.algorithm), key)
    return KeyPath(handle(slot_, stored))


def test_card_keys_are_those_of_the_pure_functions_in_one_and_two_levels(keeper: Keeper) -> None:
    root = os.urandom(16)
    path = bring_in(keeper, root, slot(KeyUse.TAC))
    data = proofs.Purchase(1234, 6, 99, 5, bytes.fromhex("20260501120000")).tac_data()
    for above in ((), (area_factor(OPERATOR),)):
        dtk = diversify_path(DES3, root, (*above, card_factor(CARD)))
        tac = proofs.tac(DES3, dtk, data)
        leaf = path.below(*above).leaf(card_factor(CARD))
        assert keeper.tac(leaf, data) == tac
        assert keeper.check_value(leaf) == check_value(DES3, dtk)
        number = int.from_bytes(tac, "big")
        assert keeper.verify_tacs(path.below(*above), [CARD, CARD, CARD + 1], [data] * 3, [number, number ^ 1, number]) == [
            True,
            False,
            False,
        ]


def test_the_vectors_two_level_keys(keeper: Keeper) -> None:
    if not _VECTORS.exists():
        pytest.skip("the published vectors (shared/data/pboc-vectors.json) are not there")
    vectors = {vector["id"]: vector for vector in json.loads(_VECTORS.read_text())["derived"]}
    given, expected = vectors["keys-two-level"]["input"], vectors["keys-two-level"]["expected"]
    for name, use, key in (("master_purchase", KeyUse.PURCHASE, "dpk"), ("master_tac", KeyUse.TAC, "dtk")):
        path = bring_in(keeper, bytes.fromhex(given[name]), slot(use))
        leaf = path.below(bytes.fromhex(given["factor1_area"])).leaf(bytes.fromhex(given["factor2_card"]))
        assert keeper.check_value(leaf) == check_value(DES3, bytes.fromhex(expected[key]))


def test_loads_are_proved_both_ways(keeper: Keeper) -> None:
    root, seed = os.urandom(16), os.urandom(8)
    leaf = bring_in(keeper, root, slot(KeyUse.LOAD)).leaf(card_factor(CARD))
    session = proofs.session_key(DES3, diversify_path(DES3, root, [card_factor(CARD)]), seed)
    assert keeper.session_mac(leaf, seed, b"mac data") == proofs.mac4(DES3, session, b"mac data")


def test_commands_carry_keys_ciphered_and_with_a_mac(keeper: Keeper) -> None:
    root, transport, challenge, header = os.urandom(16), os.urandom(16), os.urandom(4), bytes.fromhex("84D40101")
    loaded = bring_in(keeper, root, slot(KeyUse.LOAD)).leaf(card_factor(CARD))
    under = bring_in(keeper, transport, slot(KeyUse.TRANSPORT))
    command = keeper.key_command(header, b"12345", loaded=loaded, under=under, challenge=challenge)
    assert (command[:4], command[4]) == (header, len(command) - 5)
    body, mac = command[5:-4], command[-4:]
    assert secure.decipher_body(DES3, transport, body) == b"12345" + diversify_path(DES3, root, [card_factor(CARD)])
    assert secure.command_mac(DES3, transport, header, body, challenge=challenge) == mac
    assert keeper.command_mac(under, header, body, challenge=challenge) == mac
    assert keeper.external_authentication(under, challenge) == secure.external_authentication(DES3, transport, challenge)


def test_a_root_leaves_only_when_it_was_made_so(keeper: Keeper) -> None:
    root, zone = os.urandom(16), os.urandom(16)
    over = bring_in(keeper, zone, slot(KeyUse.EXPORT))
    with pytest.raises(KeyNotExportable):
        keeper.wrap(bring_in(keeper, root, slot(KeyUse.PURCHASE)), over)
    with pytest.raises(KeyNotExportable):
        keeper.wrap(bring_in(keeper, root, slot(KeyUse.PURCHASE)).below(area_factor(OPERATOR)), over)
    free = bring_in(keeper, root, slot(KeyUse.PURCHASE, exportable=True))
    assert keeper.wrap(free, over) == encrypt_ecb(DES3, zone, root)
    below = diversify_path(DES3, root, [area_factor(OPERATOR)])
    wrapped = decrypt_ecb(DES3, zone, keeper.wrap(free.below(area_factor(OPERATOR)), over))
    # A token sets the parity bits of a key that it derives; the cipher ignores them.
    assert [byte | 1 for byte in wrapped] == [byte | 1 for byte in below]


def test_generated_keys_differ_and_work(keeper: Keeper) -> None:
    stored = [keeper.generate(slot(KeyUse.TAC, version=version)) for version in (1, 2)]
    paths = [KeyPath(handle(slot(KeyUse.TAC, version=version), one)) for version, one in zip((1, 2), stored, strict=True)]
    assert stored[0].kcv == keeper.check_value(paths[0]) != keeper.check_value(paths[1])
    tacs = [keeper.tac(path.leaf(card_factor(CARD)), b"data") for path in paths]
    assert tacs[0] != tacs[1]


def test_signatures_verify(keeper: Keeper) -> None:
    signing = slot(KeyUse.PAY_CODE, KeyAlgorithm.ED25519)
    stored = keeper.generate(signing)
    assert stored.public is not None
    Ed25519PublicKey.from_public_bytes(stored.public).verify(keeper.sign(handle(signing, stored), b"code"), b"code")
    public, signature = keeper.sign_as("transcript", b"text")
    Ed25519PublicKey.from_public_bytes(public).verify(signature, b"text")
    assert keeper.sign_as("transcript", b"other")[0] == public != keeper.sign_as("report", b"text")[0]


def test_secrets_are_the_same_every_time_and_differ_by_name(keeper: Keeper) -> None:
    assert bytes(keeper.secret("one")) == bytes(keeper.secret("one")) != bytes(keeper.secret("two"))


def test_components_come_back_to_their_custodian_and_fit_nobody_else(keeper: Keeper) -> None:
    sealed = keeper.make_component(2, context="ceremony 1 tac", cipher=DES3)
    shown = keeper.open_component(sealed)
    assert shown.number == 2
    assert sealed.kcv == check_value(DES3, shown.value)
    for other in (replace(sealed, number=1), replace(sealed, context="ceremony 2 tac")):
        with pytest.raises(KeeperFault):
            keeper.open_component(other)


def test_a_share_of_a_further_custodian_lies_on_the_same_key(keeper: Keeper) -> None:
    scheme, key = Scheme(2, 3), os.urandom(16)
    parts = split(scheme, key)
    sealed = [keeper.seal_component(part, context="c", cipher=DES3) for part in parts[:2]]
    assert keeper.open_component(keeper.derive_share(scheme, sealed, 3, context="c", cipher=DES3)) == parts[2]


def test_a_destroyed_key_is_gone(keeper: Keeper) -> None:
    gone = slot(KeyUse.TAC)
    stored = keeper.generate(gone)
    path = KeyPath(handle(gone, stored))
    keeper.check_value(path)
    keeper.destroy(path.handle)
    assert bool(stored.blob) != bool(stored.object_id)  # sealed bytes end with their row
    if stored.blob:
        return
    with pytest.raises(KeeperFault):
        keeper.check_value(path)


def test_sm4_works_or_is_refused_by_name(keeper: Keeper) -> None:
    root, sm4 = os.urandom(16), slot(KeyUse.TAC, KeyAlgorithm.SM4)
    if keeper.name == "pkcs11":
        with pytest.raises(AlgorithmUnsupported, match="onecard-test has no SM4"):
            keeper.generate(sm4)
        return
    path = bring_in(keeper, root, sm4)
    dtk = diversify_path(Algorithm.SM4, root, [area_factor(OPERATOR), card_factor(CARD)])
    tac = int.from_bytes(proofs.tac(Algorithm.SM4, dtk, b"some data"), "big")
    assert keeper.verify_tacs(path.below(area_factor(OPERATOR)), [CARD], [b"some data"], [tac]) == [True]


def test_a_blob_opens_in_its_own_row_only() -> None:
    keeper = SoftwareKeeper(envelope.new_data_key(), os.urandom(16))
    stored = keeper.generate(slot(KeyUse.TAC))
    changes: list[dict[str, Any]] = [
        {"use": KeyUse.LOAD},
        {"version": 2},
        {"level": Level.OPERATOR, "owner": 7},
        {"algorithm": KeyAlgorithm.SM4},
        {"exportable": True},
        {"key_set": 2},
    ]
    for change in changes:
        same = {"key_set": 1, "use": KeyUse.TAC, "algorithm": KeyAlgorithm.DES3, "level": Level.ROOT, "owner": 0, "version": 1}
        with pytest.raises(KeeperFault):
            keeper.check_value(KeyPath(handle(Slot(**{**same, **change}), stored)))


def _break_inside(keeper: Keeper, path: KeyPath) -> list[Callable[[], object]]:
    wrong: Any = 5
    return [
        lambda: keeper.tac(path.leaf(card_factor(CARD)), wrong),
        lambda: keeper.verify_tacs(path, [CARD], [wrong], [1]),
        lambda: keeper.session_mac(path.leaf(card_factor(CARD)), bytes(9), b""),
        lambda: keeper.external_authentication(path.leaf(card_factor(CARD)), wrong),
        lambda: keeper.command_mac(path.leaf(card_factor(CARD)), b"", wrong, challenge=b""),
        lambda: keeper.key_command(b"1234", bytes(300), loaded=path.leaf(bytes(8)), under=path.leaf(bytes(8)), challenge=b""),
        lambda: keeper.wrap(path, path),
        lambda: keeper.sign(path.handle, wrong),
        lambda: keeper.check_value(path.leaf(b"short")),
    ]


def test_what_breaks_inside_a_keeper_leaves_without_its_frames(keeper: Keeper) -> None:
    root = os.urandom(16)
    path = bring_in(keeper, root, slot(KeyUse.TAC))
    card_key = diversify_path(DES3, root, [card_factor(CARD)])
    forms = [form for key in (root, card_key) for form in (repr(key)[2:-1], key.hex(), key.hex().upper(), str(list(key))[1:-1])]
    for number, breaks in enumerate(_break_inside(keeper, path)):
        with pytest.raises(OneCardError) as caught:
            breaks()
        error = caught.value
        assert error.__context__ is None, number
        below_us = error.__traceback__.tb_next if error.__traceback__ is not None else None
        told = traceback.TracebackException(type(error), error, below_us, capture_locals=True)
        rendered = "".join(told.format())
        assert "keeper = " in rendered  # locals are rendered
        assert [frame.name for frame in told.stack][-1] == "run"
        assert not [form for form in forms if form in rendered], number
