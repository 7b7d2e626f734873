"""Between the shapes a chip record has: as it comes in, as the ledger's columns, as a kept row. No I/O."""

from datetime import date, timedelta

from onecard.kernel.clock import to_epoch_us
from onecard.ledger.chip import ChipColumns
from onecard.services.chip.models import HeldRecord
from onecard.services.chip.records import ChipRecord

_POSTGRES_EPOCH = date(2000, 1, 1)


def date_of(days: int) -> date:
    """The date so many days after 2000-01-01."""
    return _POSTGRES_EPOCH + timedelta(days=days)


def one_column(columns: ChipColumns, record: ChipRecord, *, precheck: int, released: bool) -> None:
    """Adds a record to the columns of the posting function."""
    columns.terminal.append(record.terminal_id)
    columns.seq.append(record.terminal_seq)
    columns.card.append(record.card_no)
    columns.merchant.append(record.merchant)
    columns.purse_order.append(record.purse_order)
    columns.amount.append(record.amount_fen)
    columns.occurred_us.append(record.occurred_at_us)
    columns.business_date.append(record.business_date)
    columns.precheck.append(precheck)
    columns.released.append(int(released))


def record_of(row: HeldRecord) -> ChipRecord:
    """The record that a kept row holds."""
    return ChipRecord(
        terminal_id=row.terminal_id, terminal_seq=row.terminal_seq, card_no=row.card_no, amount_fen=row.amount_fen,
        occurred_at_us=to_epoch_us(row.occurred_at), card_counter=row.card_counter, balance_before_fen=row.balance_before_fen,
        sam_no=row.sam_no, sam_seq=row.sam_seq, transaction_type=row.transaction_type, key_version=row.key_version,
        algorithm=row.algorithm, tac=row.tac, gray=row.gray, merchant=row.merchant, purse_order=row.purse_order,
        business_date=(row.business_date - _POSTGRES_EPOCH).days, precheck=0,
    )  # fmt: skip
