"""The vault's operations against the published vectors and against the pure functions of the purse."""

from onecard.protocol.purse import proofs
from onecard.protocol.purse.proofs import Load, Purchase
from onecard.services.keys import api
from onecard.services.keys.api import CardRef, KeyUse, TacBatch, TacVerdict


def _batch(rows: list[tuple[int, int, int, int, bytes, int, int]]) -> TacBatch:
    return TacBatch(*map(list, zip(*rows, strict=True)))  # type: ignore[arg-type]


def test_a_demonstration_vault_has_every_use_in_force(vault: api.Vault) -> None:
    active = {(key.use, key.algorithm) for key in vault.status() if key.state == "active"}
    assert {use for use, _ in active} == set(KeyUse)
    assert (KeyUse.TAC, api.KeyAlgorithm.SM4) in active


def test_tacs_are_verified(vault: api.Vault) -> None:
    data = Purchase(100, 6, 1, 1, bytes(7)).tac_data()
    assert vault.verify_tacs(_batch([(7, 1000000000000123, 1, 0, data, 5, 9)])) == [TacVerdict.WRONG]
    assert vault.verify_tacs(_batch([(7, 1000000000000123, 9, 0, data, 5, 9)])) == [TacVerdict.NO_KEY]
    assert api.verify_usage_chain().is_whole


def test_a_card_is_personalised(vault: api.Vault) -> None:
    keys = vault.open_personalisation(CardRef(7, 1000000000000123))
    assert len(keys.external_authentication(KeyUse.CARD_CONTROL, bytes(8), initial=True)) == 8
    assert keys.key_command(b"\x84\xd4\x01\x01", bytes(5), "load", challenge=bytes(4), under="card_control", initial=True)
    load = Load(1, 2, 1, 0, 0, bytes(7))
    assert len(vault.load_mac2(CardRef(7, 1), load, random=bytes(4), version=1, algorithm=0)) == proofs.MAC_BYTES
    number, signature = vault.sign_pay_code(b"x")
    assert len(vault.pay_code_keys()[number]) == 32
    assert len(signature) == 64
