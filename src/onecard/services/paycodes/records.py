"""A record that shows a payment code, as the application server hands it over. No Django here."""

from dataclasses import dataclass

from onecard.kernel.codes import Operation
from onecard.ledger.codes import PurseOrder


@dataclass(frozen=True, slots=True)
class CodeRecord:
    """A record with the code that was shown; `code` is empty where a QR card came without one."""

    terminal_id: int
    terminal_seq: int
    op: int
    card_no: int
    amount_fen: int
    occurred_at_us: int
    merchant: int
    code: bytes
    unit: int = 0
    purse_order: int = PurseOrder.PUBLIC.value
    business_date: int = 0
    """Days since 2000-01-01. This and the two before it are the terms on which it is posted, should it be held and released."""
    meal: int = 0

    @property
    def key(self) -> tuple[int, int]:
        """What makes it the same record."""
        return self.terminal_id, self.terminal_seq

    @property
    def is_offline(self) -> bool:
        """Whether the purchase is made already."""
        return self.op == Operation.ADVICE
