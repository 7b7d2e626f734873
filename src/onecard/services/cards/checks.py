"""What must hold over the whole card domain, asked of the database: stock, cards against the ledger, deposits.

Beside the ledger's own auditor (A16 proves the deposits there); each check gives the rows that break it.
"""

from onecard.kernel.codes import Text
from onecard.services.findings import Finding, run_checks

_STOCK = """
SELECT format('place %%s, card type %%s', place_id, card_type_id), format('%%s by movements', moved),
       format('%%s in ranges, level %%s', ranged, counted) FROM cards_check_stock() LIMIT %s"""

# Every claim lies in the work place, and every card's blank in the issued or the scrapped one; nothing else lies in work.
_PLACES = """
SELECT format('serial %%s', s.serial), s.expected, coalesce(p.kind, 'nowhere')
  FROM (SELECT serial, 'work' AS expected FROM cards_claim
        UNION ALL SELECT serial, CASE WHEN state IN ('closed', 'replaced', 'returned') THEN 'issued or scrapped' ELSE 'issued' END
                    FROM cards_card WHERE serial IS NOT NULL) s
  LEFT JOIN cards_stockrange r ON int8range(r.first, r.last, '[]') @> s.serial
  LEFT JOIN cards_stockplace p ON p.id = r.place_id
 WHERE position(coalesce(p.kind, 'nowhere') IN s.expected) = 0
 ORDER BY 1 LIMIT %s"""

_WORK = """
SELECT format('place work, card type %%s', l.card_type_id), format('%%s claims', count(c.serial)), format('%%s cards', l.quantity)
  FROM cards_stocklevel l JOIN cards_stockplace p ON p.id = l.place_id AND p.kind = 'work'
  LEFT JOIN cards_claim c ON c.card_type_id = l.card_type_id
 GROUP BY l.card_type_id, l.quantity HAVING count(c.serial) <> l.quantity ORDER BY 1 LIMIT %s"""

# 0 stock, 1 active, 2 lost, 3 frozen, 4 expired, 5 returned; a card replaced or returned after a loss stays lost in the ledger.
_LEDGER = """
SELECT format('card %%s', c.card_no),
       concat_ws(' ', 'account', c.account_no, 'of', c.operator_id, 'type', c.card_type_id, c.medium, c.state, c.valid_until),
       concat_ws(' ', 'account', l.account_no, 'of', l.operator_id, 'type', l.card_type_id, l.medium, l.status, l.valid_until)
  FROM cards_card c LEFT JOIN ledger.card l ON l.card_no = c.card_no
 WHERE (c.account_no, c.operator_id, c.card_type_id, c.medium, c.valid_until)
       IS DISTINCT FROM (l.account_no, l.operator_id, l.card_type_id, l.medium, l.valid_until)
    OR NOT l.status = ANY (CASE c.state WHEN 'issued' THEN '{0}' WHEN 'active' THEN '{1}' WHEN 'lost_verbal' THEN '{2}'
                                        WHEN 'lost' THEN '{2}' WHEN 'frozen' THEN '{3}' WHEN 'expired' THEN '{4}'
                                        WHEN 'closed' THEN '{5}' ELSE '{2,5}' END::int[])
 ORDER BY 1 LIMIT %s"""

_LIST = """
SELECT format('card %%s', l.card_no), format('on the list as its status %%s says', l.status),
       format('reasons %%s', array_agg(d.reason))
  FROM ledger.card l LEFT JOIN ledger.deny_list d ON d.card_no = l.card_no AND d.reason IN (2, 3)
 WHERE l.status IN (2, 3) OR d.card_no IS NOT NULL
 GROUP BY l.card_no, l.status HAVING array_agg(d.reason) <> ARRAY[l.status] ORDER BY 1 LIMIT %s"""

_DEPOSITS = """
SELECT format('card %%s', d.card_no), 'no deposit of a card that is not live', format('%%s fen', d.deposit_fen)
  FROM ledger.card_deposit d LEFT JOIN cards_card c ON c.card_no = d.card_no
 WHERE d.deposit_fen > 0 AND (c.card_no IS NULL OR c.state IN ('replaced', 'returned', 'closed')) ORDER BY 1 LIMIT %s"""

CHECKS: dict[str, tuple[Text, str]] = {
    "K1": (Text("每个库位：号段、数量与流水之和一致", "in every place ranges, level and movements agree"), _STOCK),
    "K2": (Text("已领用、已发行的序号在其应在的库位", "claimed and issued serials are where they should be"), _PLACES),
    "K3": (Text("制卡中的卡都有领用记录", "every card in work is claimed"), _WORK),
    "K4": (Text("卡片与账簿中的卡一致", "a card agrees with the ledger's"), _LEDGER),
    "K5": (Text("挂失、冻结卡在黑名单内，其他卡不在", "lost and frozen cards are on the deny list, and no others"), _LIST),
    "K6": (Text("只有在用卡押有押金", "only live cards hold deposits"), _DEPOSITS),
}


def check(limit: int = 1) -> list[Finding]:
    """Every check; up to `limit` findings of each, none where all is in order."""
    return run_checks(CHECKS, limit)
