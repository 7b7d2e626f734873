"""Names for the ledger's numbers (kinds of transfers, states of accounts and cards, media, reasons), in both languages."""

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from onecard.kernel.codes import RESULT_TEXT, Operation, Result, Text
from onecard.ledger.accounts import BookKind
from onecard.ledger.codes import KIND_TEXT, AccountStatus, CardStatus, DenyReason, Medium, SystemTerminal, TransferKind

Label = str | Promise

BOOK_KINDS: dict[int, Label] = {
    BookKind.MERCHANT: _("Merchant"),
    BookKind.UNIT: _("Unit"),
    BookKind.OPERATOR: _("Operator"),
    BookKind.FEE_INCOME: _("Fee income"),
    BookKind.FUNDING: _("Cash and bank funding"),
    BookKind.DEBT: _("Debts receivable"),
    BookKind.HOLD: _("Holds"),
    BookKind.SETTLEMENT_PAYABLE: _("Settlement payable"),
    BookKind.UNIT_FUNDING: _("Private purse funds"),
    BookKind.BANK: _("Bank settlement"),
    BookKind.NETTING: _("Operator netting"),
    BookKind.DEPOSIT: _("Card deposits"),
    BookKind.CHIP_TRANSIT: _("Chip loads under way"),
    BookKind.CHIP_LOSS: _("Losses on chips"),
}
ACCOUNT_STATES: dict[int, Label] = {
    AccountStatus.ACTIVE: _("Active"),
    AccountStatus.FROZEN: _("Frozen"),
    AccountStatus.CLOSED: _("Closed"),
}
CARD_STATES: dict[int, Label] = {
    CardStatus.STOCK: _("In stock"),
    CardStatus.ACTIVE: _("Active"),
    CardStatus.LOST: _("Lost"),
    CardStatus.FROZEN: _("Frozen"),
    CardStatus.EXPIRED: _("Expired"),
    CardStatus.RETURNED: _("Returned"),
}
MEDIA: dict[int, Label] = {
    Medium.CPU: _("CPU card"),
    Medium.SIM: _("SIM / phone card"),
    Medium.QR: _("QR code"),
    Medium.UID: _("UID card"),
}
SYSTEM_TERMINALS: dict[int, Label] = {
    SystemTerminal.OPENING: _("Opening"),
    SystemTerminal.SETTLEMENT: _("Settlement"),
    SystemTerminal.DESK: _("Centre desk"),
    SystemTerminal.HOLD_EXPIRY: _("Hold expiry"),
}
DENY_REASONS: dict[int, Label] = {DenyReason.DEBT: _("Debt"), DenyReason.LOST: _("Lost"), DenyReason.FROZEN: _("Frozen")}


def result_text(code: int) -> str:
    """The answer a terminal was given, in the reader's language."""
    return own_language(RESULT_TEXT[Result(code)]) if code in Result._value2member_map_ else str(code)


def kind_text(kind: int) -> str:
    """What a transfer is."""
    return own_language(KIND_TEXT[TransferKind(kind)]) if kind in TransferKind._value2member_map_ else str(kind)


def operation_text(op: int) -> str:
    """What a record asked for: numbered like the transfers it makes, but for the enquiry, which makes none."""
    return gettext("Balance enquiry") if op == Operation.BALANCE else kind_text(op)


def own_language(text: Text) -> str:
    """The reader's half of a text in both languages."""
    return text.en if (get_language() or "").startswith("en") else text.zh


def tone(state: int) -> str:
    """The colour of an account's or card's state: good, bad or none."""
    return {1: "good", 2: "bad", 3: "bad"}.get(state, "")
