"""A card with a chip in the place of another (补卡, 换卡): the job the card page asks for, where it is written, how far it is."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from onecard.consoles.centre import formats
from onecard.consoles.centre.pages.batches import JOB_TONES, reason_of
from onecard.ledger.codes import Medium
from onecard.services.cards.api import Card, Operation
from onecard.services.issuing import api
from onecard.services.issuing.api import Job, JobState, Purpose, Renewal

SHOWN = 3
_ENDED = (JobState.DONE, JobState.ROLLED_BACK, JobState.FAILED)


def wanted(card: Card, act: Operation, values: dict[str, Any]) -> Renewal | None:
    """What the form asks to be written; None for another operation, and for a medium without a chip."""
    medium: Medium | None = values.get("medium")
    if act not in (Operation.REPLACE, Operation.EXCHANGE) or medium not in api.WITH_CHIP:
        return None
    return Renewal(
        card.card_no,
        Purpose(act.value),
        medium,
        reason=values["reason"],
        serial=values.get("serial"),
        fee_waived=values.get("fee_waived", False),
    )


def asked_before(request: HttpRequest, card_no: int) -> bool:
    """Whether a job waits already, as after a second press of the button; then the page says so."""
    job = api.renewals_of(card_no).exclude(state__in=_ENDED).first()
    if job is not None:
        messages.warning(request, _("Job %(job)d for the new card is open already.") % {"job": job.pk})
    return job is not None


def asked(card: Card) -> str:
    """What is said once the job is made."""
    job = api.renewals_of(card.card_no).first()
    said = _("Job %(job)d: the old card stays as it is until the new one is written.") % {"job": job.pk if job else 0}
    return f"{said} {where(card)}"


def where(card: Card) -> str:
    """At which station the new card can be written."""
    lately = api.stations(card.operator_id)
    text = _("It can be written at any station with a reader that works for %(operator)s.") % {"operator": card.operator.name}
    return f"{text} {_('Lately: %(stations)s.') % {'stations': ', '.join(lately)}}" if lately else text


def jobs(card: Card, *, may_see_jobs: bool) -> list[dict[str, Any]]:
    """The newest jobs for a card in the place of this one, for its page."""
    return [_job(job, card, may_see_jobs=may_see_jobs) for job in api.renewals_of(card.card_no)[:SHOWN]]


def _job(job: Job, card: Card, *, may_see_jobs: bool) -> dict[str, Any]:
    waits = job.state == JobState.QUEUED
    return {
        "title": f"{job.get_purpose_display()} #{job.pk}",
        "state": job.get_state_display(),
        "tone": JOB_TONES.get(job.state, ""),
        "at": formats.moment(job.ended_at or job.claimed_at or job.created_at),
        "by": job.actor,
        "station": job.station,
        "reason": reason_of(job) if job.reason_zh else "",
        "url": reverse("admin:centre_job", args=[job.pk]) if may_see_jobs else "",
        "new": reverse("admin:centre_card", args=[job.card_no]) if job.state == JobState.DONE else "",
        "card_no": job.card_no,
        "where": where(card) if waits else "",
        "command": f"onecard cards job write {job.pk} --reader …" if waits else "",
    }
