"""The published vectors, and the derived ones: those prove only that our own parts agree with one another."""

import json
from pathlib import Path
from typing import Any

import pytest

from onecard.protocol.purse import proofs
from onecard.protocol.purse.ciphers import Algorithm, cbc_mac, check_value, encrypt_ecb
from onecard.protocol.purse.diversify import card_factor, diversify, diversify_cards, diversify_path
from onecard.protocol.purse.proofs import Load, Purchase

_FILE = Path(__file__).parents[3] / "shared" / "data" / "pboc-vectors.json"
DES3 = Algorithm.DES3


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    if not _FILE.exists():
        pytest.skip("the published vectors (shared/data/pboc-vectors.json) are not there")
    content = json.loads(_FILE.read_text())
    return {vector["id"]: vector for group in ("published", "derived") for vector in content[group]}


def _h(text: str) -> bytes:
    return bytes.fromhex(text)


def _n(text: str) -> int:
    return int(text, 16)


def test_published_purchase_session_key_mac1_and_mac2(vectors: dict[str, Any]) -> None:
    given, expected = vectors["purchase-sespk-mac1-mac2"]["input"], vectors["purchase-sespk-mac1-mac2"]["expected"]
    session = proofs.purchase_session(
        DES3,
        _h(given["dpk"]),
        random=_h(given["rand"]),
        card_counter=_n(given["offline_seq"]),
        terminal_seq=_n(given["terminal_seq"]),
    )
    assert session == _h(expected["session_key"])
    purchase = _purchase(given)
    assert proofs.mac4(DES3, session, purchase.mac1_data()) == _h(expected["mac1"])
    assert proofs.purchase_mac2(DES3, session, purchase.amount_fen) == _h(expected["mac2"])


def test_published_load_session_key_mac1_and_mac2(vectors: dict[str, Any]) -> None:
    _check_load(vectors["load-seslk-mac1-mac2"])


def test_published_chaining_and_padding_of_a_lab_that_starts_from_another_iv(vectors: dict[str, Any]) -> None:
    given, expected = vectors["load-tac-nonstandard-iv"]["input"], vectors["load-tac-nonstandard-iv"]["expected"]
    data = b"".join(_h(given[name]) for name in ("new_balance", "online_seq", "amount", "type", "terminal", "date", "time"))
    key = _h(given["tac_key_folded"])
    assert cbc_mac(DES3, key, data, iv=_h(given["iv"])) == _h(expected["cbc_mac_full"])
    assert cbc_mac(DES3, key, data) == _h(expected["ours_with_iv0"])


def test_published_diversification_agrees_with_emv_option_a(vectors: dict[str, Any]) -> None:
    vector = vectors["diversification-emv-option-a"]
    assert diversify(DES3, _h(vector["input"]["mk"]), _h(vector["input"]["factor"])) == _h(vector["expected"]["sub_key_raw"])


def test_published_sm4_block(vectors: dict[str, Any]) -> None:
    vector = vectors["sm4-block"]
    sealed = encrypt_ecb(Algorithm.SM4, _h(vector["input"]["key"]), _h(vector["input"]["plain"]))
    assert sealed == _h(vector["expected"]["cipher"])


@pytest.mark.parametrize("vector_id", ["keys-two-level", "keys-one-level"])
def test_derived_card_keys_of_one_and_two_levels(vectors: dict[str, Any], vector_id: str) -> None:
    given, expected = vectors[vector_id]["input"], vectors[vector_id]["expected"]
    factors = (
        [_h(given["factor2_card"])] if vector_id == "keys-one-level" else [_h(given["factor1_area"]), _h(given["factor2_card"])]
    )
    for name, master in (("dpk", "master_purchase"), ("dlk", "master_load"), ("dtk", "master_tac"), ("damk", "master_amk")):
        if name in expected:
            assert diversify_path(DES3, _h(given[master]), factors) == _h(expected[name])
    if "tac_key_folded" in expected:
        assert proofs.tac_key(DES3, _h(expected["dtk"])) == _h(expected["tac_key_folded"])


def test_derived_purchase_with_its_tac(vectors: dict[str, Any]) -> None:
    given, expected = vectors["purchase-ep"]["input"], vectors["purchase-ep"]["expected"]
    session = proofs.purchase_session(
        DES3,
        _h(given["dpk"]),
        random=_h(given["rand"]),
        card_counter=_n(given["offline_seq"]),
        terminal_seq=_n(given["terminal_seq"]),
    )
    purchase = _purchase(given)
    assert proofs.mac4(DES3, session, purchase.mac1_data()) == _h(expected["mac1"])
    assert proofs.purchase_mac2(DES3, session, purchase.amount_fen) == _h(expected["mac2"])
    assert proofs.tac(DES3, _h(given["dtk"]), purchase.tac_data()) == _h(expected["tac"])


def test_derived_load_with_its_tac(vectors: dict[str, Any]) -> None:
    given, expected = vectors["load-ep"]["input"], vectors["load-ep"]["expected"]
    load = _check_load(vectors["load-ep"])
    assert proofs.tac(DES3, _h(given["dtk"]), load.tac_data()) == _h(expected["tac"])


@pytest.mark.parametrize("algorithm", Algorithm)
def test_keys_of_many_cards_are_those_of_each_card(algorithm: Algorithm) -> None:
    key, cards = bytes(range(16)), [1000000000000123, 9999999999999999, 42]
    assert diversify_cards(algorithm, key, cards) == b"".join(diversify(algorithm, key, card_factor(card)) for card in cards)


def test_a_check_value_is_three_bytes_of_the_zero_block() -> None:
    key = bytes(range(16))
    assert check_value(DES3, key) == encrypt_ecb(DES3, key, bytes(8))[:3]
    assert len(check_value(Algorithm.SM4, key)) == 3


def _purchase(given: dict[str, str]) -> Purchase:
    return Purchase(
        amount_fen=_n(given["amount"]),
        transaction_type=_n(given["type"]),
        terminal_no=_n(given["terminal"]),
        terminal_seq=_n(given["terminal_seq"]),
        moment=_h(given["date"] + given["time"]),
    )


def _check_load(vector: dict[str, Any]) -> Load:
    given, expected = vector["input"], vector["expected"]
    load = Load(
        amount_fen=_n(given["amount"]),
        transaction_type=_n(given["type"]),
        terminal_no=_n(given["terminal"]),
        old_balance_fen=_n(given["old_balance"]),
        online_counter=_n(given["online_seq"]),
        moment=_h(given["date"] + given["time"]),
    )
    session = proofs.load_session(DES3, _h(given["dlk"]), random=_h(given["rand"]), online_counter=load.online_counter)
    assert session == _h(expected["session_key"])
    assert proofs.mac4(DES3, session, load.mac1_data()) == _h(expected["mac1"])
    assert proofs.mac4(DES3, session, load.mac2_data()) == _h(expected["mac2"])
    return load
