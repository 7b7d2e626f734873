"""What a front-end answers by itself: each reason by itself, the order among them, and that no limit can be passed in parts."""

from array import array
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from onecard.fep.decide import Purchase, Spent, decide, decide_access, refuses, spending_key
from onecard.fep.lists import DenyList
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Operation, Result
from onecard.kernel.numbers import QR_ISSUER, build_card_no
from onecard.protocol.cardindex import CardEntry, build_card_index, parse_card_index
from onecard.protocol.lease import Step
from onecard.protocol.offline import EVERYBODY, CardTypeRule, DoorRule, MealTime, OfflineRules, TerminalRule, Window
from onecard.protocol.paycode import CodeBody, PayCode, signed_bytes

MINE = build_card_no(issuer=8800, lane=1, serial=1)
EXPIRED = build_card_no(issuer=8800, lane=1, serial=2)
STRANGER = build_card_no(issuer=8801, lane=2, serial=3)
SIMPLE = build_card_no(issuer=8800, lane=1, serial=4)
QR = build_card_no(issuer=QR_ISSUER, lane=1, serial=5)
NOON = to_epoch_us(datetime(2026, 3, 2, 4, 0, tzinfo=UTC))  # Monday 12:00 at the platform
EVENING = NOON + 6 * 3600 * 10**6
INDEX = parse_card_index(
    build_card_index(
        {
            MINE: CardEntry(1, frozenset({7})),
            EXPIRED: CardEntry(1, frozenset({7}), date(2026, 3, 1)),
            SIMPLE: CardEntry(2),
            QR: CardEntry(1),
        },
        version=1,
        unit_id=9,
    )
)
RULES = OfflineRules(
    1,
    9,
    card_types={1: CardTypeRule(True, 5000, 8000, 10_000, 4), 2: CardTypeRule(True, meals_only=True), 3: CardTypeRule(False)},
    unknown_card=CardTypeRule(True, 1000),
    terminals={5: TerminalRule(hours=(Window(480, 1080),)), 6: TerminalRule(own_cards_only=True)},
    any_terminal=TerminalRule(6000, 20_000),
    meals=(MealTime(2, Window(660, 780)),),
    doors={4: (DoorRule(frozenset({7}), (Window(480, 1080, (1,)),)), DoorRule(frozenset({EVERYBODY}), (Window(0, 60),)))},
)
NOBODY = DenyList(0, array("Q"))
KEY = Ed25519PrivateKey.generate()
KEYS = {3: KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)}


def ask(
    card=MINE, fen=100, *, terminal=1, op=Operation.PURCHASE, code=b"", spent=None, step=Step.OK, at=NOON, denied=NOBODY, **other
):
    return decide(
        Purchase(op, terminal, card, fen, code),
        rules=other.get("rules", RULES),
        cards=other.get("cards", INDEX),
        denied=denied,
        spent=spent or Spent(),
        lease_step=step,
        now_us=at,
        code_keys=KEYS,
    )


def pay_code(card=QR, *, limit=3000, issued=NOON // 10**6 - 10, key_no=3, key=KEY) -> bytes:
    body = CodeBody(card, 77, issued, issued + 60, limit)
    return PayCode(body, key_no, key.sign(signed_bytes(body))).to_bytes()


def listed(*cards: int) -> DenyList:
    return DenyList(1, array("Q", sorted(cards)))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({}, Result.APPROVED),
        ({"fen": 5000}, Result.APPROVED),
        ({"fen": 5001}, Result.LIMIT_TRANSACTION),
        ({"fen": 0}, Result.AMOUNT_INVALID),
        ({"fen": -1}, Result.AMOUNT_INVALID),
        ({"card": MINE + 1}, Result.UNKNOWN_CARD),
        ({"card": EXPIRED}, Result.CARD_EXPIRED),
        ({"card": STRANGER}, Result.APPROVED),
        ({"card": STRANGER, "fen": 1001}, Result.LIMIT_TRANSACTION),
        ({"card": STRANGER, "terminal": 6}, Result.PURSE_NOT_ALLOWED),
        ({"card": MINE, "terminal": 6}, Result.APPROVED),
        ({"denied": listed(MINE)}, Result.CARD_DENIED),
        ({"denied": listed(STRANGER)}, Result.APPROVED),
        ({"spent": Spent(card_day_fen=9900), "at": EVENING}, Result.APPROVED),
        ({"spent": Spent(card_day_fen=9901), "at": EVENING}, Result.LIMIT_DAY),
        ({"spent": Spent(card_day_count=3)}, Result.APPROVED),
        ({"spent": Spent(card_day_count=4)}, Result.LIMIT_DAY),
        ({"spent": Spent(card_meal_fen=7900)}, Result.APPROVED),
        ({"spent": Spent(card_meal_fen=7901)}, Result.LIMIT_MEAL),
        ({"spent": Spent(card_meal_fen=7901), "at": EVENING}, Result.APPROVED),
        ({"spent": Spent(terminal_fen=19_900)}, Result.APPROVED),
        ({"spent": Spent(terminal_fen=19_901)}, Result.BUSY),
        ({"terminal": 5, "spent": Spent(terminal_fen=10**9)}, Result.APPROVED),
        ({"terminal": 5, "at": EVENING}, Result.TERMINAL_NOT_ALLOWED),
        ({"card": SIMPLE}, Result.APPROVED),
        ({"card": SIMPLE, "at": EVENING}, Result.LIMIT_MEAL),
        ({"step": Step.WARNING}, Result.APPROVED),
        ({"step": Step.NO_NEW_CARDS}, Result.UNIT_EXPIRED),
        ({"step": Step.NO_NEW_CARDS, "spent": Spent(card_seen=True)}, Result.APPROVED),
        ({"step": Step.NO_SALES, "spent": Spent(card_seen=True)}, Result.UNIT_EXPIRED),
        ({"step": Step.STOP}, Result.UNIT_EXPIRED),
        ({"op": Operation.HOLD, "fen": 5000}, Result.APPROVED),
        ({"op": Operation.HOLD, "fen": 5001}, Result.LIMIT_TRANSACTION),
        ({"cards": None}, Result.APPROVED),
        ({"cards": None, "fen": 1001}, Result.LIMIT_TRANSACTION),
        ({"rules": OfflineRules(0, 9)}, Result.PURSE_NOT_ALLOWED),
        ({"rules": OfflineRules(0, 9), "card": STRANGER}, Result.UNKNOWN_CARD),
        ({"card": QR}, Result.CODE_INVALID),
        ({"card": QR, "code": pay_code()}, Result.APPROVED),
        ({"card": QR, "code": pay_code(), "fen": 3001}, Result.LIMIT_TRANSACTION),
        ({"card": QR, "code": pay_code(), "spent": Spent(code_used=True)}, Result.CODE_USED),
        ({"card": QR, "code": pay_code(issued=NOON // 10**6 - 91)}, Result.CODE_EXPIRED),
        ({"card": QR, "code": pay_code(issued=NOON // 10**6 - 90)}, Result.APPROVED),
        ({"card": QR, "code": pay_code(key_no=4)}, Result.CODE_INVALID),
        ({"card": QR, "code": pay_code(key=Ed25519PrivateKey.generate())}, Result.CODE_INVALID),
        ({"card": MINE, "code": pay_code()}, Result.CODE_INVALID),
        ({"card": QR, "code": b"something else"}, Result.CODE_INVALID),
    ],
)
def test_each_reason_is_given_where_it_holds(asked, answer):
    assert ask(**asked) is answer


def test_other_operations_are_not_decided_here():
    with pytest.raises(ValueError, match="TOPUP"):
        ask(op=Operation.TOPUP)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"card": EXPIRED, "denied": listed(EXPIRED), "fen": 9999}, Result.CARD_EXPIRED),
        ({"denied": listed(MINE), "fen": 9999}, Result.CARD_DENIED),
        ({"terminal": 5, "at": EVENING, "denied": listed(MINE)}, Result.TERMINAL_NOT_ALLOWED),
        ({"card": STRANGER, "terminal": 6, "fen": 9999}, Result.PURSE_NOT_ALLOWED),
        ({"spent": Spent(10**6, 99, 10**6, 10**6)}, Result.LIMIT_MEAL),
        ({"spent": Spent(10**6, 99, 10**6, 10**6), "at": EVENING}, Result.LIMIT_DAY),
    ],
)
def test_of_several_reasons_the_smallest_number_is_given(asked, answer):
    assert ask(**asked) is answer


@given(
    st.lists(st.integers(1, 6000), min_size=1, max_size=60), st.integers(0, 6 * 3600), st.sampled_from([MINE, STRANGER, SIMPLE])
)
def test_no_row_of_purchases_passes_a_limit(amounts, seconds, card):
    spent, rule = Spent(), RULES.card_type(INDEX.get(card).card_type_id if INDEX.get(card) else None)
    for fen in amounts:
        if ask(card, fen, spent=spent, at=NOON + seconds * 10**6) is Result.APPROVED:
            spent = Spent(
                spent.card_day_fen + fen, spent.card_day_count + 1, spent.card_meal_fen + fen, spent.terminal_fen + fen, True
            )
    assert spent.terminal_fen <= 20_000
    assert rule.per_day_fen is None or spent.card_day_fen <= rule.per_day_fen
    assert rule.per_day_count is None or spent.card_day_count <= rule.per_day_count


@given(
    st.integers(0, 3), st.integers(-10, 9000), st.integers(0, 12_000), st.sampled_from([MINE, EXPIRED, STRANGER, SIMPLE, QR, 12])
)
def test_a_later_step_of_the_lease_never_allows_more(step, fen, spent_fen, card):
    spent = Spent(card_day_fen=spent_fen, terminal_fen=spent_fen)
    answers = [ask(card, fen, spent=spent, step=Step(one)) for one in (step, step + 1)]
    assert not (answers[0] is not Result.APPROVED and answers[1] is Result.APPROVED)


@given(st.sets(st.sampled_from([MINE, STRANGER, SIMPLE, EXPIRED])), st.sampled_from([MINE, STRANGER, SIMPLE, EXPIRED]))
def test_a_card_on_the_list_is_never_served(cards, card):
    denied = listed(*cards)
    assert not (card in cards and ask(card, denied=denied) is Result.APPROVED)
    assert refuses(card, rules=RULES, cards=INDEX, denied=denied, now_us=NOON) is (card in cards or card == EXPIRED)


@given(st.sets(st.integers(0, 2**53), max_size=200), st.integers(0, 2**53))
@settings(max_examples=50)
def test_the_decoded_list_holds_exactly_its_cards(cards, other):
    denied = listed(*cards)
    assert len(denied) == len(cards) and all(card in denied for card in cards)
    assert (other in denied) is (other in cards) and "x" not in denied


def test_spending_is_counted_by_local_day_and_meal():
    assert spending_key(MINE, RULES, NOON).meal == 2
    assert spending_key(MINE, RULES, EVENING).meal == 0
    midnight = to_epoch_us(datetime(2026, 3, 2, 16, tzinfo=UTC))
    days = [spending_key(MINE, RULES, at).day for at in (midnight - 1, midnight)]
    assert [(after - before).days for before, after in pairwise(days)] == [1]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({}, Result.APPROVED),
        ({"at": NOON + 24 * 3600 * 10**6}, Result.TERMINAL_NOT_ALLOWED),
        ({"card": SIMPLE}, Result.TERMINAL_NOT_ALLOWED),
        ({"card": SIMPLE, "at": NOON + 12 * 3600 * 10**6 + 1}, Result.APPROVED),
        ({"terminal": 99}, Result.TERMINAL_NOT_ALLOWED),
        ({"card": STRANGER}, Result.UNKNOWN_CARD),
        ({"card": EXPIRED}, Result.CARD_EXPIRED),
        ({"denied": listed(MINE)}, Result.CARD_DENIED),
        ({"step": Step.NO_NEW_CARDS}, Result.UNIT_EXPIRED),
        ({"step": Step.NO_NEW_CARDS, "seen": True}, Result.APPROVED),
        ({"step": Step.NO_SALES, "seen": True}, Result.UNIT_EXPIRED),
    ],
)
def test_a_door_opens_by_group_and_time(asked, answer):
    given_answer = decide_access(
        asked.get("terminal", 4),
        asked.get("card", MINE),
        rules=RULES,
        cards=INDEX,
        denied=asked.get("denied", NOBODY),
        card_seen=asked.get("seen", False),
        lease_step=asked.get("step", Step.OK),
        now_us=asked.get("at", NOON),
    )
    assert given_answer is answer
