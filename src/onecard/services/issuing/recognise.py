"""Who a card is, for the desk: asked of the card without a key and of the jobs; changes nothing."""

from dataclasses import dataclass

from onecard.services.issuing import chip, claims
from onecard.services.issuing.chip import Talk
from onecard.services.issuing.models import OPEN_STATES, Job


@dataclass(frozen=True, slots=True)
class Recognised:
    """`kind`: blank, in_work, issued, foreign. `state` is the job's or the card's."""

    kind: str
    uid: str
    card_no: int | None = None
    job_id: int | None = None
    state: str = ""


def recognise(*, uid: bytes = b"", serial: int | None = None) -> Talk[Recognised]:
    """Read the card and look it up. A blank is one that carries nothing; whether our transport key opens it is not tried."""
    seen = yield from chip.look(uid, serial=serial)
    job = Job.objects.filter(uid=seen.uid, state__in=OPEN_STATES).first()
    if job is not None:
        return Recognised("in_work", seen.uid, job.card_no, job.pk, job.state)
    if seen.public is not None:
        state = claims.state_of(seen.public.card_no)
        written = Job.objects.filter(card_no=seen.public.card_no).first()
        if state is None or (written is not None and written.uid != seen.uid):
            return Recognised("foreign", seen.uid, seen.public.card_no)
        return Recognised("issued", seen.uid, seen.public.card_no, written.pk if written else None, state)
    if seen.has_application:
        return Recognised("foreign", seen.uid)
    bound = claims.bound_to(seen.uid)
    if bound is not None:
        return Recognised("issued", seen.uid, bound.card_no, bound.pk, claims.live_state(bound.card_no) or "")
    return Recognised("blank", seen.uid)
