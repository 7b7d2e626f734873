"""Cards of the tests: known roots brought in as a ceremony would, and what real chips would answer, by the pure functions."""

from onecard.protocol.purse import proofs
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import area_factor, card_factor, diversify_path
from onecard.services.keys import api
from onecard.services.keys.custody.components import Scheme, split
from tests.keys.conftest import ADMIN

OPERATOR, CARD = 44030000, 4403000000000017
MOMENT = bytes.fromhex("20260501120000")


def bring_in(
    vault: api.Vault, use: api.KeyUse, key: bytes, *, algorithm: api.KeyAlgorithm = api.KeyAlgorithm.DES3, active: bool = True
) -> api.KeyStatus:
    """A known root as the next version of a use."""
    scheme = Scheme(2, 2)
    sealed = [vault.seal_component(part, context="test", algorithm=algorithm) for part in split(scheme, key)]
    made = vault.combine_components(use, scheme, sealed, algorithm=algorithm, actor=ADMIN)
    return vault.activate(made.key_id, actor=ADMIN) if active else made


def purchase(number: int = 1) -> bytes:
    """What the TAC of a purchase is made over."""
    return proofs.Purchase(100 + number, 6, 7, number, MOMENT).tac_data()


def chip_tac(root: bytes, data: bytes, *, card: int = CARD, levels: int = 2, algorithm: Algorithm = Algorithm.DES3) -> int:
    """The TAC a chip would make."""
    factors = (area_factor(OPERATOR), card_factor(card))[2 - levels :]
    return int.from_bytes(proofs.tac(algorithm, diversify_path(algorithm, root, factors), data), "big")


def batch(*rows: tuple[int, bytes, int], version: int = 1, algorithm: int = 0, sam: int = 7) -> api.TacBatch:
    """Rows of (card, data, tac) of one operator."""
    size = len(rows)
    card, data, tac = (list(column) for column in zip(*rows, strict=True))
    return api.TacBatch([OPERATOR] * size, card, [version] * size, [algorithm] * size, data, tac, [sam] * size)
