"""Prepares the city for chip cards, through the services' own functions: vault and keys, card types' rules, stock, SAMs, a batch.

Each part is found done by what it left in the database, so that an interrupted preparation goes on where it was.
"""

from datetime import UTC, datetime

from django.db import connection, transaction

from onecard.city.chips.folder import ChipFolder
from onecard.city.numbering import LANES
from onecard.city.tree import Tree
from onecard.datacenter.home import Home
from onecard.kernel.business_day import business_date
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.cards import api as cards
from onecard.services.issuing import api as issuing
from onecard.services.keys import api as keys
from onecard.services.keys.models.sams import Sam
from onecard.services.keys.sams import perso, stock
from onecard.services.people import api as people

BATCH = "演示城市首批 First batch"
CARDS = 40
_ISSUER = 8810
_FIRST_SERIAL, _BLANKS = 60_000_001, 5_000
_ORDER = "DEMO-SAM-1"
_SUPPLIER = "澜芯卡厂 Lanxin Cards (invented)"
_ACTOR = Actor.system("demo")
_SAM_TERMINALS = """
SELECT t.tid FROM devices_terminal t JOIN operators_merchant m ON m.id = t.merchant_id
 WHERE m.public AND t.driver = 'native' AND t.state = 'active' AND t.name ~ '^#[1-8] ' ORDER BY t.id"""
_MARK = "INSERT INTO city.loaded (what, seed, holders) VALUES (%s, %s, %s) ON CONFLICT (what) DO NOTHING"
_FAMILY, _GIVEN = "赵钱孙李周吴郑王", "安宁平远文静思齐"


def prepare(home: Home, tree: Tree) -> None:
    """Have it all; quick where it is there. The keys come first: everything else needs them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM city.loaded WHERE what = 'chips'")
        if cursor.fetchone() is not None:
            return
    keys.init_demo(home)
    _set_rules(tree)
    _receive_blanks(tree)
    _make_sams(ChipFolder(home))
    with transaction.atomic():
        _order_cards(tree)
        with connection.cursor() as cursor:
            cursor.execute(_MARK, ["chips", tree.plan.seed, CARDS])


def _set_rules(tree: Tree) -> None:
    today = business_date(datetime.now(UTC))
    cards.set_numbering(actor=_ACTOR, lanes=LANES, prefix=_ISSUER)
    everybody = cards.NewRules(
        frozenset({Medium.CPU, Medium.SIM, Medium.QR}), anonymous_allowed=True, chip_purse=True, deposit_fen=2_000,
        replace_fee_fen=1_000, exchange_fee_fen=1_000, validity_months=60, waiting_days=7, max_per_holder=2,
    )  # fmt: skip
    members = cards.NewRules(
        frozenset({Medium.CPU, Medium.QR, Medium.UID}),
        private_purse=True,
        replace_fee_fen=500,
        validity_months=60,
        waiting_days=3,
    )
    for code, type_rules in {"STD": everybody, "SEN": everybody, "STU": members, "STF": members}.items():
        card_type = tree.card_types[code]
        if cards.find_rules(card_type, today) is None:
            cards.set_rules(card_type, today, rules=type_rules, actor=_ACTOR)


def _receive_blanks(tree: Tree) -> None:
    card_type = tree.card_types["STD"]
    order = cards.order(_SUPPLIER, [cards.Ordered(card_type, _BLANKS)], actor=_ACTOR, key="demo-order")
    lines = [cards.Serials(card_type, _FIRST_SERIAL, _FIRST_SERIAL + _BLANKS - 1)]
    cards.receive(_SUPPLIER, lines, actor=_ACTOR, order_id=order.pk, key="demo-receipt")


def _make_sams(folder: ChipFolder) -> None:
    """A SAM for the first terminals of every public merchant: ordered, received, personalised, bound."""
    with connection.cursor() as cursor:
        cursor.execute(_SAM_TERMINALS)
        tids = [str(row[0]) for row in cursor.fetchall()]
    rows = Sam.objects.filter(order_ref=_ORDER)
    with transaction.atomic():
        if not rows.exists():
            stock.order_sams(len(tids), order_ref=_ORDER, supplier=_SUPPLIER, actor=_ACTOR)
            stock.receive_sams([f"DEMOSAM{n:04}" for n in range(1, len(tids) + 1)], order_ref=_ORDER, actor=_ACTOR)
    for sam, tid in zip(rows.order_by("pk"), tids, strict=True):
        if sam.state == keys.SamState.RECEIVED:
            module = folder.sam(sam.pk)
            module.power_on()
            perso.personalise_sam(sam.pk, module.transmit, actor=_ACTOR)
            module.power_off()
            sam.refresh_from_db()
        if sam.state == keys.SamState.PERSONALISED:
            stock.bind_sam(sam.pk, tid, actor=_ACTOR)


def _order_cards(tree: Tree) -> None:
    """A batch for citizens of the root operator, every fourth card without a name; the station works on it in the background."""
    operator = tree.operators[tree.plan.operators[0].code]
    named = [people.NewHolder(name=f"{_FAMILY[n % 8]}{_GIVEN[n // 8 % 8]}") for n in range(CARDS * 3 // 4)]
    recipients = [issuing.Recipient(holder_id=holder) for holder in people.create_holders(operator, named)]
    recipients += [issuing.Recipient()] * (CARDS - len(recipients))
    order = issuing.BatchOrder(BATCH, operator, tree.card_types["STD"], pace=issuing.Pace.FEEDER, recipients=recipients)
    batch = issuing.create(order, actor=_ACTOR)
    issuing.start(batch.pk, actor=_ACTOR)
