"""What must hold between jobs, stock, cards and ledger at every moment (C1, C2), as queries that give what breaks it."""

from onecard.kernel.codes import Text
from onecard.services.findings import Finding, run_checks

_OPEN = "('claimed', 'writing', 'verifying')"
_DONE = """
SELECT format('job %%s', j.id), format('card %%s, account %%s, serial %%s', j.card_no, j.account_no, j.stock_serial),
       format('card %%s, account %%s, serial %%s', c.card_no, c.account_no, c.serial)
  FROM issuing_job j LEFT JOIN cards_card c ON c.card_no = j.card_no
 WHERE j.state = 'done' AND (c.account_no, c.serial) IS DISTINCT FROM (j.account_no, j.stock_serial)
    OR j.state = 'done' AND NOT EXISTS (SELECT FROM ledger.card l WHERE l.card_no = j.card_no AND l.account_no = j.account_no)
 ORDER BY 1 LIMIT %s"""
_NOT_DONE = """
SELECT format('job %%s', j.id), format('no card %%s while %%s', j.card_no, j.state), format('card %%s', j.card_no)
  FROM issuing_job j
 WHERE j.state <> 'done' AND (EXISTS (SELECT FROM cards_card c WHERE c.card_no = j.card_no)
                              OR EXISTS (SELECT FROM ledger.card l WHERE l.card_no = j.card_no))
 ORDER BY 1 LIMIT %s"""
_CLAIMED = f"""
SELECT format('job %%s', j.id), format('serial %%s claimed', j.stock_serial), format('claimed by %%s', c.job)
  FROM issuing_job j FULL JOIN cards_claim c ON c.serial = j.stock_serial AND j.state IN {_OPEN}
 WHERE (j.state IN {_OPEN} AND j.stock_serial IS NOT NULL AND c.job IS DISTINCT FROM format('issuing-%%s', j.id))
    OR (j.id IS NULL AND c.job LIKE 'issuing-%%%%')
 ORDER BY 1 LIMIT %s"""  # noqa: S608 - names of ours
_RENEWED = """
SELECT format('job %%s', j.id), format('%%s of card %%s by %%s', j.purpose, j.old_card_no, j.card_no),
       coalesce(format('%%s of card %%s by %%s', e.operation, e.card_id, e.other_card), 'nothing')
  FROM issuing_job j LEFT JOIN cards_lifeevent e ON e.key = format('issuing-%%s', j.id)
 WHERE j.old_card_no IS NOT NULL
   AND CASE WHEN j.state = 'done'
            THEN (e.operation, e.card_id, e.other_card) IS DISTINCT FROM (j.purpose, j.old_card_no, j.card_no)
            ELSE e.id IS NOT NULL END
 ORDER BY 1 LIMIT %s"""

CHECKS: dict[str, tuple[Text, str]] = {
    "I1": (Text("完成的作业有其卡、账户与库存流水", "a job that is done has its card, its account and its stock move"), _DONE),
    "I2": (Text("未完成的作业没有发出卡", "a job that is not done has issued nothing"), _NOT_DONE),
    "I3": (Text("在制作业与领用的空白卡一一对应", "jobs in work and blanks claimed for them are one to one"), _CLAIMED),
    "I4": (
        Text("补换卡作业完成时原卡才办结", "an old card is replaced when its job is done"),
        _RENEWED,
    ),
}


def check(limit: int = 1) -> list[Finding]:
    """Every check; up to `limit` findings of each, none where all is in order."""
    return run_checks(CHECKS, limit)
