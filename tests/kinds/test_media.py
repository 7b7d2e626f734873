"""A POS and what is held to it: payment codes, and purse cards that leave the slot too early."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from onecard.kernel.clock import ManualClock
from onecard.kernel.codes import Operation
from onecard.kernel.numbers import QR_ISSUER, build_card_no
from onecard.protocol.cardset import build_card_set
from onecard.protocol.paycode import CodeBody, PayCode, build_text, signed_bytes
from onecard.terminal.chip import PurchaseTerms, purchase
from onecard.terminal.chipcard import SamSlot
from onecard.terminal.chipjournal import ChipJournal
from onecard.terminal.kinds.journal import DeviceJournal
from onecard.terminal.kinds.parts import ChipTap, Show, Tap
from onecard.terminal.kinds.pos import Pos
from onecard.terminal.paycode import CodeMemory
from onecard.terminal.reader.errors import CardRemoved
from onecard.terminal.reader.local import LocalReader
from tests.card.flows import NOW as CHIP_NOW
from tests.card.flows import set_balance
from tests.card.support import CARD_NO, make_card, make_sam
from tests.kinds.bench import NOW, TERMINAL, BenchLine, card, make, press

KEY = Ed25519PrivateKey.generate()
QR = build_card_no(issuer=QR_ISSUER, lane=0, serial=1)


def code(*, number: int = 1, limit: int = 500, card_no: int = QR, key: Ed25519PrivateKey = KEY) -> Show:
    issued = int(NOW.timestamp())
    body = CodeBody(card_no, number, issued, issued + 60, limit)
    return Show(build_text(PayCode(body, 7, key.sign(signed_bytes(body)))))


@pytest.fixture
def codes() -> CodeMemory:
    memory = CodeMemory(":memory:", durable=False)
    memory.set_keys({7: KEY.public_key().public_bytes_raw()})
    return memory


async def offer(pos: Pos, shown: Show, amount: str = "500") -> str:
    await press(pos, "cancel", amount, "enter")
    await pos.act(shown)
    return pos.display.text


async def test_a_code_pays_on_line_once_and_travels_with_its_record(codes):
    line = BenchLine(is_open=True)
    pos = make(Pos, line=line, codes=codes)
    assert "成功" in await offer(pos, code())
    assert "已使用" in await offer(pos, code())
    (record,) = pos.journal.records(TERMINAL)
    assert (record.op, record.card_no, record.amount_fen, len(record.pay_code)) == (Operation.PURCHASE, QR, 500, 96)


async def test_off_line_a_code_pays_up_to_its_own_limit_within_the_terminals(codes):
    pos = make(Pos, codes=codes)
    assert "单笔限额" in await offer(pos, code(), "501")
    assert "成功" in await offer(pos, code())
    pos.data.take("deny", build_card_set([QR], version=1), version=1)
    assert "黑名单卡" in await offer(pos, code(number=2))
    assert [record.op for record in pos.journal.records(TERMINAL)] == [Operation.ADVICE]


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        (Show("OC1:NONSENSE"), "付款码无效"),
        (Show("hello"), "付款码无效"),
        (code(key=Ed25519PrivateKey.generate()), "付款码无效"),
    ],
)
@pytest.mark.parametrize("is_open", [True, False])
async def test_a_code_the_platform_did_not_sign_is_refused(codes, shown, says, is_open):
    pos = make(Pos, line=BenchLine(is_open=is_open), codes=codes)
    assert says in await offer(pos, shown)
    assert pos.journal.records(TERMINAL) == []


async def test_an_old_code_is_refused(codes):
    pos = make(Pos, codes=codes)
    pos.clock.advance(timedelta(minutes=5))
    assert "已过期" in await offer(pos, code())


# ---- chips


class TearingReader(LocalReader):
    """The card leaves at the n-th command: the chip has done it, its answer is lost."""

    def __init__(self, chip, tear_at: int = 0) -> None:
        super().__init__(chip)
        self.left = tear_at

    def transmit(self, command: bytes) -> bytes:
        answer = super().transmit(command)
        self.left -= 1
        if self.left == 0:
            raise CardRemoved
        return answer


class ChipPos:
    """A POS with a SAM and a purse of 100.00."""

    def __init__(self, tmp_path) -> None:
        self.card = make_card()
        set_balance(self.card, 10_000)
        self.sam = SamSlot(LocalReader(make_sam()))
        self.chips = ChipJournal(tmp_path / "chips.db", durable=False)
        self.journal = DeviceJournal(":memory:", durable=False)
        self.line = BenchLine()
        self.restart()

    def restart(self, at=CHIP_NOW) -> None:
        self.pos = make(Pos, line=self.line, journal=self.journal, sam=self.sam, chips=self.chips, clock=ManualClock(at))

    async def tap(self, tear_at: int = 0) -> str:
        await self.pos.act(ChipTap(TearingReader(self.card, tear_at)))
        return self.pos.display.text

    @property
    def balance(self) -> int:
        self.card.power_on()
        self.card.power_off()
        return self.card.state.directories[1].purses[0].balance

    @property
    def paid(self) -> int:
        return sum(record.amount_fen for record in self.journal.records(TERMINAL))


async def test_a_chip_is_debited_off_line_and_its_record_goes_up(tmp_path):
    chip = ChipPos(tmp_path)
    await press(chip.pos, "1250", "enter")
    assert "成功" in await chip.tap()
    assert (chip.balance, chip.paid) == (8750, 1250)
    chip.line.is_open = True
    assert await chip.pos.teller.deliver()
    assert chip.line.sent == [(Operation.CHIP_PURCHASE, 1, CARD_NO, 1250, 0)]
    assert f"{TERMINAL}/1" in chip.journal.last_receipt()


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_chip_torn_off_at_any_command_is_debited_once_when_it_comes_back(tmp_path, restarts):
    for tear_at in range(1, 12):
        folder = tmp_path / str(tear_at)
        folder.mkdir()
        chip = ChipPos(folder)
        await press(chip.pos, "200", "enter")
        said = await chip.tap(tear_at)
        if "成功" in said:
            break
        in_doubt = "同一张卡" in said
        if in_doubt:
            await chip.pos.act(Tap(card(1)))
            assert "同一张卡" in chip.pos.display.text, "nobody else pays for it"
        if restarts:
            chip.restart()
        if not in_doubt:
            await press(chip.pos, "cancel", "200", "enter")
        assert "成功" in await chip.tap()
        assert (chip.balance, chip.paid) == (9800, 200), tear_at
    assert tear_at > 4


async def test_the_receipt_of_a_chip_debited_before_a_power_cut_is_printed_at_the_next_start(tmp_path):
    chip = ChipPos(tmp_path)
    chip.journal.next_seq(TERMINAL)
    terms = PurchaseTerms()
    purchase(LocalReader(chip.card), chip.sam, 200, sale_no=1, journal=chip.chips, terms=terms, clock=ManualClock(CHIP_NOW))
    chip.restart()
    assert f"{TERMINAL}/1" in chip.journal.last_receipt()


async def test_a_listed_chip_is_not_debited(tmp_path):
    chip = ChipPos(tmp_path)
    chip.pos.data.take("deny", build_card_set([CARD_NO], version=1), version=1)
    await press(chip.pos, "200", "enter")
    assert "黑名单卡" in await chip.tap()
    assert (chip.balance, chip.paid) == (10_000, 0)


async def test_a_chip_that_never_comes_back_leaves_a_gray_record(tmp_path):
    chip = ChipPos(tmp_path)
    await press(chip.pos, "200", "enter")
    for tear_at in range(1, 12):
        if "同一张卡" in await chip.tap(tear_at):
            break
    chip.restart(at=CHIP_NOW + timedelta(days=2))
    (record,) = chip.journal.records(TERMINAL)
    assert (record.op, record.amount_fen, record.chip.gray) == (Operation.CHIP_PURCHASE, 200, True)
