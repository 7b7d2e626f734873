"""Search in the journal: by card, account, transaction number, terminal and sequence, merchant and time, or the newest."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from onecard.consoles.centre import formats, labels, search
from onecard.consoles.centre.identity import operators
from onecard.consoles.centre.pages.base import address, moment, needs, number, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.search import Cursor, Record, Span, Transfer
from onecard.kernel.numbers import is_account_no, is_card_no, split_purse_id
from onecard.ledger.accounts import BookKind, book_id, is_book, is_chip, split_book_id
from onecard.services.devices.models import Terminal
from onecard.services.operators.models import Merchant, Operator, Unit
from onecard.services.purses.models import Account

_LATE = timedelta(minutes=1)
"""A record that came up later than this shows the moment it was made as well."""
_OF_UNITS = (BookKind.UNIT, BookKind.UNIT_FUNDING)


@dataclass(slots=True)
class Found:
    """What a search brought: transfers, or a terminal's records, where older ones begin, and what was wrong with the question."""

    transfers: list[Transfer] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    older: str | None = None
    problem: str = ""


@needs(Can.VIEW_TRANSACTIONS)
def transactions(request: HttpRequest) -> HttpResponse:
    """The search page."""
    found = _mine(_search(request), operators(request))
    names = Names(found.transfers)
    return render(
        request,
        "centre/transactions.html",
        {
            "title": _("Transactions"),
            "fields": {name: request.GET.get(name, "") for name in ("q", "terminal", "seq", "merchant", "since", "until")},
            "problem": found.problem,
            "transfers": [row(transfer, names) for transfer in found.transfers],
            "records": [_record_row(record) for record in found.records],
            "older": address(request, before=found.older) if found.older else None,
            "newest": address(request, before=None) if request.GET.get("before") else None,
            "may_see_accounts": allowed(request, Can.VIEW_ACCOUNTS),
        },
    )


def _search(request: HttpRequest) -> Found:
    asked = request.GET
    span = Span(moment(asked.get("since")), moment(asked.get("until")))
    cursor = Cursor.parse(asked.get("before", ""))
    if asked.get("q", "").strip():
        return _by_number(asked["q"].strip(), span, cursor)
    if asked.get("terminal", "").strip():
        return _of_terminal(asked["terminal"].strip().upper(), asked.get("seq", ""), asked.get("before", ""))
    if asked.get("merchant", "").strip():
        merchant = _merchant_id(asked["merchant"].strip())
        if merchant is None:
            return Found(problem=_("There is no merchant of this number or name."))
        return _page(search.of_merchant(merchant, span, cursor))
    if operators(request) is not None:
        return Found(problem=_("You see the transactions of your own operators: search by card, account, terminal or merchant."))
    return _page(search.newest(span, cursor))


def _mine(found: Found, bound: frozenset[int] | None) -> Found:
    """What a user bound to operators may see of it: their holders' transfers and their merchants' (N3)."""
    if bound is None or not (found.transfers or found.records):
        return found
    numbers = {t.account_no for t in found.transfers if t.account_no is not None}
    accounts = set(Account.objects.filter(pk__in=numbers, operator_id__in=bound).values_list("account_no", flat=True))
    books = {side for t in found.transfers for side in (t.debit, t.credit) if is_book(side)}
    merchants = {ref for kind, ref in map(split_book_id, books) if kind == BookKind.MERCHANT}
    own = set(Merchant.objects.filter(pk__in=merchants, operator_id__in=bound).values_list("id", flat=True))
    own_books = {book_id(BookKind.MERCHANT, merchant) for merchant in own}
    terminals = set(
        Terminal.objects.filter(pk__in={r.terminal_id for r in found.records}, merchant__operator_id__in=bound).values_list(
            "id", flat=True
        )
    )
    found.transfers = [t for t in found.transfers if t.account_no in accounts or {t.debit, t.credit} & own_books]
    found.records = [record for record in found.records if record.terminal_id in terminals]
    return found


def _page(transfers: list[Transfer]) -> Found:
    """A full page has older rows behind it, as far as we know; an empty next page says so itself."""
    last = transfers[-1] if len(transfers) == search.PAGE else None
    return Found(transfers, older=str(Cursor(last.id, last.lane)) if last else None)


def _by_number(text: str, span: Span, cursor: Cursor) -> Found:
    lane, dash, rest = text.partition("-")
    if dash:
        transfer_id, on_lane = number(rest), number(lane)
        if transfer_id is None or on_lane is None or on_lane > search.LAST_LANE:
            return Found(problem=_("Not a transaction number."))
        return Found(search.by_id(transfer_id, on_lane))
    value = number(text)
    if value is None:
        return Found(problem=_("Give a card number, an account number or a transaction number: digits only."))
    return _by_plain_number(value, span, cursor)


def _by_plain_number(value: int, span: Span, cursor: Cursor) -> Found:
    if is_card_no(value):
        account = search.account_of_card(value)
        if account is None:
            return Found(problem=_("There is no such card."))
        found = _page(search.of_account(account, span, cursor))  # a page of the account: other cards' rows fall out of it
        found.transfers = [transfer for transfer in found.transfers if transfer.card_no == value]
        return found
    if is_account_no(value):
        return _page(search.of_account(value, span, cursor))
    return Found(search.by_id(value))


def _of_terminal(text: str, seq: str, before: str) -> Found:
    terminal_id = Terminal.objects.filter(tid=text).values_list("id", flat=True).first() or number(text)
    if terminal_id is None:
        return Found(problem=_("There is no such terminal."))
    if seq.strip():
        wanted = number(seq)
        if wanted is None:
            return Found(problem=_("The sequence number has digits only."))
        records = search.records(terminal_id, seq=wanted)
        transfers = [t for r in records if r.transfer_id is not None for t in search.by_id(r.transfer_id, r.lane)]
        return Found(transfers, records)
    records = search.records(terminal_id, before=number(before))
    return Found(records=records, older=str(records[-1].terminal_seq) if len(records) == search.PAGE else None)


def _merchant_id(text: str) -> int | None:
    value = number(text)
    if value is not None and value < 100_000_000:
        return value
    return Merchant.objects.filter(name=text).values_list("id", flat=True).first()


class Names:
    """Names of the terminals, merchants, units and operators of a page's rows: one query a kind, never one a row."""

    def __init__(self, transfers: list[Transfer]) -> None:
        self.terminals = dict(Terminal.objects.filter(pk__in={t.terminal_id for t in transfers}).values_list("id", "tid"))
        refs: dict[int, set[int]] = {}
        for book in {side for t in transfers for side in (t.debit, t.credit) if is_book(side)}:
            kind, ref = split_book_id(book)
            refs.setdefault(kind, set()).add(ref)
        units = {ref for kind in _OF_UNITS for ref in refs.get(kind, ())}
        operators = {ref for kind, found in refs.items() if kind not in (BookKind.MERCHANT, *_OF_UNITS) for ref in found}
        self.merchants = dict(Merchant.objects.filter(pk__in=refs.get(BookKind.MERCHANT, ())).values_list("id", "name"))
        self.units = dict(Unit.objects.filter(pk__in=units).values_list("id", "name"))
        self.operators = dict(Operator.objects.filter(pk__in=operators).values_list("id", "name"))

    def terminal(self, terminal_id: int) -> str:
        """A terminal's number on the device; the platform's own have names."""
        own = labels.SYSTEM_TERMINALS.get(terminal_id)
        return str(own) if own else self.terminals.get(terminal_id, str(terminal_id))

    def side(self, ledger_account: int) -> str:
        """A ledger account in words: a merchant's name, another book's kind and owner, a purse's account, a chip's card."""
        if is_chip(ledger_account):
            return f"{ledger_account} · {_('chip purse')}"
        if not is_book(ledger_account):
            account, unit = split_purse_id(ledger_account)
            return f"{account} · {_('private purse') if unit else _('public purse')}"
        kind, ref = split_book_id(ledger_account)
        if kind == BookKind.MERCHANT:
            return self.merchants.get(ref, str(ref))
        owner = self.units.get(ref) if kind in _OF_UNITS else self.operators.get(ref)
        return f"{labels.BOOK_KINDS.get(kind, kind)} · {owner or ref}"


def row(transfer: Transfer, names: Names) -> dict[str, Any]:
    """A transfer as pages show it. The amount is seen from the purse: what leaves it is negative."""
    from_purse = not is_book(transfer.debit)
    other = transfer.credit if from_purse else transfer.debit
    has_purse = from_purse or not is_book(transfer.credit)
    return {
        "number": f"{transfer.lane}-{transfer.id}",
        "link": f"{reverse('admin:centre_transactions')}?q={transfer.lane}-{transfer.id}",
        "posted_at": formats.moment(transfer.posted_at),
        "occurred_at": formats.moment(transfer.occurred_at) if transfer.posted_at - transfer.occurred_at > _LATE else "",
        "business_date": transfer.business_date.isoformat(),
        "kind": labels.kind_text(transfer.kind),
        "amount": formats.yuan(-transfer.amount_fen if from_purse else transfer.amount_fen),
        "out": from_purse,
        "balance": formats.yuan(transfer.balance_after),
        "card_no": transfer.card_no,
        "account_no": transfer.account_no,
        "other": names.side(other) if has_purse else f"{names.side(transfer.debit)} → {names.side(transfer.credit)}",
        "purse": _purse_word(transfer.debit if from_purse else transfer.credit),
        "terminal": names.terminal(transfer.terminal_id),
        "seq": transfer.terminal_seq,
    }


def _purse_word(ledger_account: int) -> str:
    """Which purse a transfer is about; the public one goes without saying."""
    if is_book(ledger_account):
        return ""
    if is_chip(ledger_account):
        return _("chip")
    return _("private") if split_purse_id(ledger_account)[1] else ""


def _record_row(record: Record) -> dict[str, Any]:
    state = {1: _("reversed"), 2: _("reversal came first")}.get(record.state, "")
    return {
        "seq": record.terminal_seq,
        "op": labels.operation_text(record.op),
        "result": labels.result_text(record.code),
        "good": record.code == 0,
        "state": state,
        "card_no": record.card_no,
        "amount": formats.yuan(record.amount_fen),
        "balance": formats.yuan(record.balance_after),
        "occurred_at": formats.moment(record.occurred_at),
        "posted_on": record.posted_on.isoformat(),
        "link": (
            f"{reverse('admin:centre_transactions')}?q={record.lane}-{record.transfer_id}"
            if record.transfer_id is not None
            else ""
        ),
    }
