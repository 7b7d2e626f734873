"""A record that shows a payment code, as the application server hands it over. No Django here."""

from dataclasses import dataclass

from onecard.kernel.codes import Operation


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

    @property
    def key(self) -> tuple[int, int]:
        """What makes it the same record."""
        return self.terminal_id, self.terminal_seq

    @property
    def is_offline(self) -> bool:
        """Whether the purchase is made already."""
        return self.op == Operation.ADVICE
