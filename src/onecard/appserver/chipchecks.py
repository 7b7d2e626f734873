"""The vault and the SAMs behind the checks of chip records and loads. Opened when first asked: a locked vault is Unavailable."""

from collections.abc import Sequence

from onecard.protocol.purse.proofs import Load
from onecard.services.chip.loads import LoadChecks
from onecard.services.chip.verify import Checks
from onecard.services.keys import api as keys
from onecard.services.keys.sams.standing import sam_standing


def record_checks() -> Checks:
    """What verifies chip purchases."""
    return Checks(_verify_tacs, sam_standing)


def load_checks() -> LoadChecks:
    """What proves loads."""
    return LoadChecks(_Loads(), sam_standing)


def _verify_tacs(
    *, operator_id: Sequence[int], card_no: Sequence[int], key_version: Sequence[int], algorithm: Sequence[int],
    data: Sequence[bytes], tac: Sequence[int], sam_no: Sequence[int],
) -> Sequence[int]:  # fmt: skip
    batch = keys.TacBatch(operator_id, card_no, key_version, algorithm, data, tac, sam_no)
    return keys.open_vault().verify_tacs(batch)


class _Loads:
    """The vault as a load sees it."""

    def mac1_ok(self, card: tuple[int, int], load: Load, *, random: bytes, version: int, algorithm: int, mac1: bytes) -> bool:
        return keys.open_vault().load_mac1_ok(
            keys.CardRef(*card), load, random=random, version=version, algorithm=algorithm, mac1=mac1
        )

    def mac2(self, card: tuple[int, int], load: Load, *, random: bytes, version: int, algorithm: int) -> bytes:
        return keys.open_vault().load_mac2(keys.CardRef(*card), load, random=random, version=version, algorithm=algorithm)

    def tac_ok(self, card: tuple[int, int], load: Load, *, version: int, algorithm: int, tac: bytes) -> bool:
        return keys.open_vault().load_tac_ok(keys.CardRef(*card), load, version=version, algorithm=algorithm, tac=tac)
