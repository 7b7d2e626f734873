"""The vault's proofs of chips: TACs in batches, the MACs and the TAC of a load (P5). Every call is one line of the log."""

import hmac
from collections import Counter
from collections.abc import Mapping
from itertools import compress
from operator import not_

from onecard.kernel.errors import InvalidInput
from onecard.protocol.purse.diversify import card_factor
from onecard.protocol.purse.proofs import Load
from onecard.services.keys.columns import CARD_ALGORITHMS, verify_columns
from onecard.services.keys.perso import Chosen, missing
from onecard.services.keys.types import CardRef, TacBatch, TacVerdict
from onecard.services.keys.uses import KeyUse
from onecard.services.keys.vault_base import VaultBase

_LOAD_SEED_TAIL = b"\x80\x00"


class Proofs(VaultBase):
    """Verifies what chips prove, and proves the host to chips."""

    def verify_tacs(self, batch: TacBatch) -> list[TacVerdict]:
        """A verdict for each record, in their order. Accepted are the active version and those in their overlap."""
        book, family = self._current()
        verdicts, used = verify_columns(self.keeper, book, family, batch, now=self.clock.now())
        self._note_batch(batch, verdicts, used)
        return verdicts

    def load_mac1_ok(self, card: CardRef, load: Load, *, random: bytes, version: int, algorithm: int, mac1: bytes) -> bool:
        """Whether the chip that asks for a load has proved itself. Raises KeyMissing for a version that is not in force."""
        made = self._load_mac(card, load, random, version, algorithm, data=load.mac1_data(), operation="load.mac1", given=mac1)
        return hmac.compare_digest(made, mac1)

    def load_mac2(self, card: CardRef, load: Load, *, random: bytes, version: int, algorithm: int) -> bytes:
        """The host's proof to the chip: the chip credits itself by it. Raises KeyMissing."""
        return self._load_mac(card, load, random, version, algorithm, data=load.mac2_data(), operation="load.mac2")

    def load_tac_ok(self, card: CardRef, load: Load, *, version: int, algorithm: int, tac: bytes) -> bool:
        """Whether the chip has credited itself. Raises KeyMissing."""
        entry, path = self._accepted_card_key(KeyUse.TAC, card, version, algorithm)
        right = hmac.compare_digest(self.keeper.tac(path, load.tac_data()), tac)
        self.note("load.tac", subject=str(card), keys={entry.key_id: 1}, count=1, failed=not right)
        return right

    def _load_mac(
        self,
        card: CardRef,
        load: Load,
        random: bytes,
        version: int,
        algorithm: int,
        *,
        data: bytes,
        operation: str,
        given: bytes = b"",
    ) -> bytes:
        if len(random) != 4:
            raise InvalidInput("卡片随机数应为 4 字节", "the chip's random number has 4 bytes")
        entry, path = self._accepted_card_key(KeyUse.LOAD, card, version, algorithm)
        seed = random + load.online_counter.to_bytes(2, "big") + _LOAD_SEED_TAIL
        made = self.keeper.session_mac(path, seed, data)
        wrong = bool(given) and not hmac.compare_digest(made, given)
        self.note(operation, subject=str(card), keys={entry.key_id: 1}, count=1, failed=wrong)
        return made

    def _note_batch(self, batch: TacBatch, verdicts: list[TacVerdict], used: Mapping[int, int]) -> None:
        if not verdicts:
            return
        sams = Counter(batch.sam_no)
        wrong = Counter(compress(batch.sam_no, verdicts))
        del sams[0], wrong[0]
        failed = len(verdicts) - sum(map(not_, verdicts))
        self.store.note(
            self.clock.now(), self._user, "tac.verify",
            keys=used, count=len(batch), failed=failed, sams=sams, sams_failed=wrong,
        )  # fmt: skip

    def _accepted_card_key(self, use: KeyUse, card: CardRef, version: int, algorithm: int) -> Chosen:
        cipher = CARD_ALGORITHMS.get(algorithm)
        if cipher is None:
            raise missing(use, f" (algorithm {algorithm:02X})")
        check_card(card)
        book, family = self._current()
        found = book.accepted(
            family, use, cipher, version, operator_id=card.operator_id, unit_id=card.unit_id, now=self.clock.now()
        )
        if found is None:
            raise missing(use, f" (v{version} {cipher.name})")
        return found[0], found[1].leaf(card_factor(card.card_no))


def check_card(card: CardRef) -> None:
    """Raises InvalidInput where its operator has no number that keys are diversified with."""
    if not 1 <= card.operator_id <= 99_999_999 or card.unit_id < 0:
        raise InvalidInput(f"卡 {card.card_no} 的运营单位编号无效", f"the operator of card {card.card_no} has no valid number")
