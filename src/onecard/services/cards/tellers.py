"""What the neighbours know of a card, put on its time line: its personalisation (issuing) and its chip's money (chip)."""

from collections.abc import Iterator
from itertools import groupby

from onecard.kernel.codes import Text
from onecard.kernel.money import format_yuan
from onecard.ledger.codes import KIND_TEXT, TransferKind
from onecard.services.cards.timeline import Entry, register

CHIP_LINES = 500
"""The newest transfers of a chip that are told; the rest stands in its statement."""


def tell_issuing(card_no: int, serial: int | None) -> Iterator[Entry]:
    """The job that made the card: each touch with the steps it took, and how it ended."""
    from onecard.services.issuing.api import Job, JobState

    for job in Job.objects.filter(card_no=card_no).prefetch_related("journal"):
        lines = sorted(job.journal.all(), key=lambda line: line.pk)
        for attempt, touched in groupby(lines, key=lambda line: line.attempt):
            steps = list(touched)
            told = Text(
                f"{steps[0].step} … {steps[-1].step}，{len(steps)} 行", f"{steps[0].step} … {steps[-1].step}, {len(steps)} lines"
            )
            title = Text(f"写卡 第 {attempt} 次触卡", f"written, touch {attempt}")
            yield Entry(steps[0].at, "issuing", title, told, actor=job.actor, ref=str(job.pk))
        if job.ended_at is not None:
            state = JobState(job.state)
            reason = Text(job.reason_zh, job.reason_en)
            yield Entry(
                job.ended_at,
                "issuing",
                Text(f"制卡{state.label}", f"job {state.value}"),
                reason,
                actor=job.actor,
                ref=str(job.pk),
            )


def tell_chip(card_no: int, serial: int | None) -> Iterator[Entry]:
    """What the chip's shadow account was told of: purchases, loads, unloads."""
    from onecard.services.chip import api

    for line in api.statement(card_no, limit=CHIP_LINES):
        fen, left = format_yuan(line.amount_fen), format_yuan(line.balance_fen)
        detail = Text(f"{fen}，芯片余额 {left}", f"{fen}, chip balance {left}")
        yield Entry(
            line.posted_at,
            "chip",
            KIND_TEXT[TransferKind(line.kind)],
            detail,
            amount_fen=line.amount_fen,
            ref=str(line.transfer_id),
        )


def register_neighbours() -> None:
    """Called with the api; a neighbour may put a fuller account in its place under the same name."""
    register("issuing", tell_issuing)
    register("chip", tell_chip)
