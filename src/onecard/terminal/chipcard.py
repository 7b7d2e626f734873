"""A purse card and a SAM as a terminal sees them: opening them, what they say of themselves, errors, and blocking a listed card.

TerminalError
└── ChipError
    ├── ChipRefused      the card or SAM answered a step with another status word: nothing was debited or credited by it
    ├── CardUnusable     not a card of this platform, not yet or no longer valid
    ├── ProofWrong       the card debited, but its MAC2 is not that of a genuine card: keep the goods, the record goes up
    └── InDoubt          the card left before it answered: the same card must be shown again, nothing is charged twice
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from onecard.kernel.codes import Text
from onecard.protocol.purse import commands, files, samcommands
from onecard.protocol.purse.apdu import Command, Response, Status, status_text
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.commands import Block
from onecard.protocol.purse.files import FileId, LogRecord, PublicData, SamPublicData
from onecard.protocol.purse.perso_sam import PURPOSE_MAC
from onecard.protocol.purse.secure import challenge_iv
from onecard.terminal.errors import TerminalError
from onecard.terminal.reader.base import Reader, exchange


class ChipError(TerminalError):
    """Base of what a card or SAM can answer."""

    code = "CHIP.ERROR"


class ChipRefused(ChipError):  # noqa: N818 - what the chip did
    """A step was refused; `sw` is the status word."""

    code = "CHIP.REFUSED"

    def __init__(self, step: str, sw: int) -> None:
        text = status_text(sw)
        super().__init__(f"{text.zh}（{step}，{sw:04X}）", f"{text.en} ({step}, {sw:04X})")
        self.step = step
        self.sw = sw


class CardUnusable(ChipError):  # noqa: N818 - a state of the card
    """The card may not pay here."""

    code = "CHIP.UNUSABLE"


class ProofWrong(ChipError):  # noqa: N818 - what the chip did
    """MAC2 is wrong; the record is kept for the platform to judge by its TAC."""

    code = "CHIP.PROOF_WRONG"


class InDoubt(ChipError):  # noqa: N818 - a state of the transaction
    """Whether the card changed is not known until it is shown again."""

    code = "CHIP.IN_DOUBT"
    retryable = True

    def __init__(self, card_no: int) -> None:
        super().__init__(f"请重新刷卡：{card_no:016d}", f"Show the same card again: {card_no:016d}")
        self.card_no = card_no


def ask(reader: Reader, command: Command, step: str) -> bytes:
    """The answer's data. Raises ChipRefused, and what the reader raises."""
    response = exchange(reader, command)
    if not response.is_ok:
        raise ChipRefused(step, response.sw)
    return response.data


@dataclass(frozen=True, slots=True)
class OpenCard:
    """A card with its purse application selected."""

    reader: Reader
    public: PublicData

    @property
    def card_no(self) -> int:
        """The card's number."""
        return self.public.card_no

    def ask(self, command: Command, step: str) -> bytes:
        """See `ask`."""
        return ask(self.reader, command, step)

    def send(self, command: Command) -> Response:
        """See `exchange`."""
        return exchange(self.reader, command)

    def check_dates(self, today: date) -> None:
        """Raises CardUnusable outside the card's validity."""
        start, end = self.public.valid_from, self.public.valid_until
        if (start and today < start) or (end and today > end):
            raise CardUnusable("卡片不在有效期内", "The card is not valid today")

    def log_record(self, counter: int, transaction_types: tuple[int, ...]) -> LogRecord | None:
        """The log's record with this counter and one of these types. Raises ChipRefused where the log cannot be read."""
        for number in range(1, files.LOG_RECORDS + 1):
            response = self.send(commands.read_record(files.sfi(FileId.LOG), number, files.LOG_BYTES))
            if response.sw == Status.RECORD_NOT_FOUND:
                return None
            if not response.is_ok:
                raise ChipRefused("log", response.sw)
            record = LogRecord.parse(response.data)
            if record.counter == counter and record.transaction_type in transaction_types:
                return record
        return None


@contextmanager
def open_card(reader: Reader, *, aid: bytes = files.PURSE_AID) -> Iterator[OpenCard]:
    """Power a card up and select its purse; powered down at the end. Raises CardUnusable, ChipRefused, ReaderError."""
    reader.connect()
    try:
        response = exchange(reader, commands.select_name(aid))
        if response.sw == Status.FILE_NOT_FOUND:
            raise CardUnusable("不是本平台的卡", "Not a card of this platform")
        if not response.is_ok:
            raise ChipRefused("select", response.sw)
        data = ask(reader, commands.read_binary(files.sfi(FileId.PUBLIC), files.PUBLIC_BYTES), "read 0015")
        try:
            public = PublicData.parse(data)
        except ValueError:
            raise CardUnusable("卡片未发行", "The card is not issued") from None
        if not public.card_no:
            raise CardUnusable("卡片未发行", "The card is not issued")
        yield OpenCard(reader, public)
    finally:
        reader.disconnect()


class SamSlot:
    """A terminal's SAM: powered up once, used for every purchase. `levels`: how far it diversifies (1 card, 2 area and card)."""

    def __init__(self, reader: Reader, *, levels: int = 2) -> None:
        assert levels in (1, 2)
        self._reader = reader
        self._levels = levels
        self.prepared: int | None = None
        """The sequence whose MAC2 the SAM can still check: that of the last purchase since it was powered up."""
        reader.connect()
        ask(reader, commands.select_file(FileId.MASTER), "SAM select")
        self.sam_no = SamPublicData.parse(ask(reader, commands.read_binary(files.sfi(FileId.PUBLIC), 14), "SAM 0015")).sam_no
        self.terminal_no = int.from_bytes(ask(reader, commands.read_binary(files.sfi(FileId.HOLDER), 6), "SAM 0016"), "big")
        ask(reader, commands.select_file(FileId.SAM_APPLICATION), "SAM application")

    def close(self) -> None:
        """Power the SAM down."""
        self._reader.disconnect()

    def _factors(self, public: PublicData) -> tuple[bytes, bytes]:
        return public.card_factor(), public.issuer if self._levels == 2 else b""

    def mac1(
        self, public: PublicData, init: commands.PurchaseInit, *, amount_fen: int, transaction_type: int, moment: bytes
    ) -> samcommands.SamMac1:
        """80 70: the next sequence and MAC1."""
        card, area = self._factors(public)
        command = samcommands.init_for_purchase(
            init, amount_fen, transaction_type=transaction_type, moment=moment, card=card, area=area
        )
        self.prepared = None
        answer = samcommands.SamMac1.parse(ask(self._reader, command, "SAM MAC1"))
        self.prepared = answer.terminal_seq
        return answer

    def mac2_fits(self, terminal_seq: int, mac2: bytes) -> bool | None:
        """80 72: whether a MAC2 is the card's; None where the SAM no longer holds that purchase."""
        if self.prepared != terminal_seq:
            return None
        response = exchange(self._reader, samcommands.credit(mac2))
        if response.is_ok:
            self.prepared = None
            return True
        return False if response.sw == Status.MAC_WRONG else None

    def line_mac(self, public: PublicData, header: bytes, *, challenge: bytes, algorithm: Algorithm, key_id: int = 1) -> bytes:
        """80 1A, 80 FA: the line protection MAC of a command without a body."""
        card, area = self._factors(public)
        ask(self._reader, samcommands.init_for_cipher(self._levels << 5 | PURPOSE_MAC, key_id, card + area), "SAM 80 1A")
        self.prepared = None
        iv = challenge_iv(algorithm, challenge)
        return ask(self._reader, samcommands.mac(iv, header + b"\x04"), "SAM 80 FA")


def block_card(reader: Reader, sam: SamSlot, *, kind: Block = Block.TEMPORARY, algorithm: Algorithm = Algorithm.DES3) -> Text:
    """Block the application of a card on the deny list. Raises ChipRefused; what was done, for people."""
    with open_card(reader) as card:
        challenge = card.ask(commands.get_challenge(4), "challenge")
        header = commands.block_application_header(kind)
        mac = sam.line_mac(card.public, header, challenge=challenge, algorithm=algorithm)
        card.ask(commands.secured(header, b"", mac), "block")
    return Text("卡片应用已锁定", "The card's application is blocked")
