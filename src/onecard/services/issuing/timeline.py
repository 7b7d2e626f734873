"""What an old card's time line tells of the jobs for the card in its place; the new card's tells of its own writing by itself."""

from collections.abc import Iterator

from onecard.kernel.codes import Text
from onecard.services.cards.api import Entry, register
from onecard.services.issuing import renewals
from onecard.services.issuing.models import JobState, Purpose

_OPERATIONS = {Purpose.REPLACE: "replacement", Purpose.EXCHANGE: "exchange"}


def tell_renewals(card_no: int, serial: int | None) -> Iterator[Entry]:
    """Each job twice: asked for, and ended (or how far it is)."""
    for job in renewals.of(card_no):
        purpose, state = Purpose(job.purpose), JobState(job.state)
        zh, en, ref = f"{purpose.label}作业 {job.pk}", f"{_OPERATIONS[purpose]} job {job.pk}", str(job.pk)
        yield Entry(job.created_at, "issuing", Text(f"{zh}已建立", f"{en} asked for"), actor=job.actor, reason=job.why, ref=ref)
        if job.claimed_at is not None:
            number = Text(f"新卡号 {job.card_no}", f"new card {job.card_no}")
            yield Entry(job.claimed_at, "issuing", Text(f"{zh}已领卡", f"{en} has its blank"), number, actor=job.station, ref=ref)
        if job.ended_at is not None:
            title = Text(f"{zh}{state.label}", f"{en} {state.value.replace('_', ' ')}")
            yield Entry(job.ended_at, "issuing", title, Text(job.reason_zh, job.reason_en), actor=job.station, ref=ref)


def register_teller() -> None:
    """Called when Django is ready."""
    register("renewals", tell_renewals)
