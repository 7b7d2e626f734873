"""The journal that a driver keeps for its devices begins where the place it stands at has come to."""

from onecard.gateway.drivers.till import Till, delivering
from onecard.kernel.codes import Operation, Result
from tests.gateway.harness import CARD, House, until


async def test_a_port_with_a_new_journal_numbers_above_what_the_platform_knows(house: House, tmp_path):
    issued = house.list_line(1, {101: "00000101", 102: "00000102"}, front_end=True)
    house.app.lines[1].terminals[0].known_seq = 70
    gateway = await house.start()
    await until(lambda: gateway.admission.find(issued.fingerprint) is not None)

    def line():
        return gateway.admission.find(issued.fingerprint)

    async with delivering(Till(tmp_path / "port", line=line, services=gateway.services, durable=False)) as till:
        till.adopt(frozenset({101, 102}))
        sold = [await till.ask(Operation.PURCHASE, number, card_no=CARD, amount_fen=100) for number in (101, 101, 102)]
    assert [(record.terminal_seq, record.code) for record in sold] == [
        (71, Result.APPROVED), (72, Result.APPROVED), (1, Result.APPROVED),
    ]  # fmt: skip
