"""Issuing batches (C2): made, controlled, their progress as it goes; every job with its steps, and what is done by hand."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats, labels
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import attempt, submit
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.pages.holders import PlaceForm
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.ledger.codes import Medium
from onecard.services.actors import Actor
from onecard.services.issuing import api
from onecard.services.issuing.api import Batch, BatchState, Job, JobState, Recipient
from onecard.services.operators.models import CardType, Operator

PAGE = 50
BATCH_TONES = {"running": "warn", "finished": "good", "cancelled": "bad", "paused": "", "created": ""}
JOB_TONES = {
    "done": "good",
    "failed": "bad",
    "rolled_back": "",
    "queued": "",
    "claimed": "warn",
    "writing": "warn",
    "verifying": "warn",
}
_OPEN = (JobState.CLAIMED, JobState.WRITING, JobState.VERIFYING)
_BY_HAND = (Medium.UID, Medium.QR)
_CONTROLS: dict[BatchState, tuple[str, ...]] = {
    BatchState.CREATED: ("start", "cancel"),
    BatchState.RUNNING: ("pause", "cancel"),
    BatchState.PAUSED: ("start", "cancel"),
}
_NAMES = {"start": gettext_lazy("Start"), "pause": gettext_lazy("Pause"), "cancel": gettext_lazy("Cancel the batch")}


class BatchForm(PlaceForm):
    """What the batch is to be, and for whom."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    operator = forms.ModelChoiceField(label=gettext_lazy("Operator"), queryset=Operator.objects.none(), empty_label=None)
    card_type = forms.ModelChoiceField(
        label=gettext_lazy("Card type"), queryset=CardType.objects.order_by("id"), empty_label=None
    )
    medium = forms.TypedChoiceField(
        label=gettext_lazy("Medium"), coerce=lambda value: Medium(int(value)), choices=list(labels.MEDIA.items())
    )
    pace = forms.ChoiceField(label=gettext_lazy("Pace"), choices=api.Pace.choices)
    count = forms.IntegerField(label=gettext_lazy("Anonymous cards"), min_value=0, max_value=100_000, required=False)
    holders = forms.CharField(
        label=gettext_lazy("Or cardholders, one number a line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 30}),
    )
    field_order = ("name", "operator", "unit", "card_type", "medium", "pace", "count", "holders")

    def __init__(self, *args: Any, bound: frozenset[int] | None, **kwargs: Any) -> None:
        super().__init__(*args, bound=bound, **kwargs)
        for name in ("department", "staff_no", "gender", "phone"):
            del self.fields[name]
        found = Operator.objects.filter(status="active").order_by("id")
        self.fields["operator"].queryset = found if bound is None else found.filter(pk__in=bound)  # type: ignore[attr-defined]

    def clean_holders(self) -> list[Recipient]:
        """The numbers of the lines."""
        recipients = []
        for line, text in enumerate(self.cleaned_data["holders"].split(), start=1):
            holder = number(text)
            if holder is None:
                raise forms.ValidationError(_("Line %(line)d is no number: %(text)s") % {"line": line, "text": text[:20]})
            recipients.append(Recipient(holder_id=holder))
        return recipients

    def order(self) -> api.BatchOrder:
        """What was filled in, as the service takes it."""
        values = self.cleaned_data
        return api.BatchOrder(
            name=values["name"],
            operator_id=values["operator"].pk,
            card_type_id=values["card_type"].pk,
            medium=values["medium"],
            unit_id=values["unit"].pk if values["unit"] else None,
            pace=api.Pace(values["pace"]),
            recipients=values["holders"],
            count=values["count"] or 0,
        )


@needs(Can.VIEW_BATCHES)
def batches(request: HttpRequest) -> HttpResponse:
    """The newest batches."""
    before = number(request.GET.get("before"))
    found = api.batch_list(operators=operators(request))
    page = list((found if before is None else found.filter(pk__lt=before))[:PAGE])
    rows = [
        [
            Cell(batch.pk, reverse("admin:centre_batch", args=[batch.pk])),
            batch.name,
            batch.operator.name,
            batch.card_type.name,
            labels.MEDIA.get(batch.medium, batch.medium),
            formats.count(batch.count),
            Cell(batch.get_state_display(), tone=BATCH_TONES.get(batch.state, "")),
            batch.created_by,
            formats.moment(batch.created_at),
        ]
        for batch in page
    ]
    columns = [
        Column(_("Number"), NUMBER), Column(_("Name")), Column(_("Operator")), Column(_("Card type")), Column(_("Medium")),
        Column(_("Cards"), NUMBER), Column(_("State")), Column(_("By")), Column(_("Made"), CODE),
    ]  # fmt: skip
    context = {
        "title": _("Issuing batches"),
        "table": Table("batches", columns, _("No batch has been made yet."), rows),
        "next": address(request, before=page[-1].pk) if len(page) == PAGE else None,
        "first": address(request, before=None) if before else None,
        "may_run": allowed(request, Can.RUN_BATCHES),
    }
    return render(request, "centre/batches.html", context)


@needs(Can.RUN_BATCHES)
def new_batch(request: HttpRequest) -> HttpResponse:
    """The form of a new batch."""
    form = BatchForm(request.POST or None, bound=operators(request))
    made: list[Batch] = []

    def perform(values: dict[str, Any]) -> Batch:
        made.append(api.create(form.order(), actor=of_request(request)))
        return made[0]

    if request.method == "POST" and submit(request, form, perform, name=gettext_noop("batch made")):
        return redirect("admin:centre_batch", made[0].pk)
    hint = _("Cards are written at a station with a reader: `onecard cards personalise`, or the desktop workstation.")
    context = {
        "title": _("New batch"),
        "form": form,
        "hint": hint,
        "button": _("Make the batch"),
        "back": reverse("admin:centre_batches"),
    }
    return render(request, "centre/act.html", context)


def _batch(request: HttpRequest, batch_id: int) -> Batch:
    found = api.batch_list(operators=operators(request)).filter(pk=batch_id).first()
    if found is None:
        raise Http404
    return found


@needs(Can.VIEW_BATCHES)
def batch(request: HttpRequest, batch_id: int) -> HttpResponse:
    """One batch: progress, which moves by itself, and its jobs."""
    found = _batch(request, batch_id)
    context = _progress(request, found)
    if request.headers.get("HX-Request"):
        return render(request, "centre/batch_progress.html", context)
    state, after = request.GET.get("state", ""), number(request.GET.get("after"))
    jobs = api.jobs(batch_id=batch_id, state=JobState(state) if state in JobState.values else None)
    page = list((jobs if after is None else jobs.filter(pk__gt=after))[:PAGE])
    context |= {
        "title": f"{_('Issuing batch')} {found.pk}",
        "state": state,
        "states": JobState.choices,
        "table": _jobs_table(page, request),
        "next": address(request, after=page[-1].pk) if len(page) == PAGE else None,
        "first": address(request, after=None) if after else None,
        "controls": [(act, _NAMES[act]) for act in _CONTROLS.get(BatchState(found.state), ())]
        if allowed(request, Can.RUN_BATCHES)
        else [],
    }
    return render(request, "centre/batch.html", context)


def _progress(request: HttpRequest, found: Batch) -> dict[str, Any]:
    progress = api.progress(found.pk)
    return {
        "batch": found,
        "tone": BATCH_TONES.get(found.state, ""),
        "progress": progress,
        "moving": progress.state in (BatchState.RUNNING, BatchState.CREATED, BatchState.PAUSED) or progress.in_work > 0,
        "url": reverse("admin:centre_batch", args=[found.pk]),
        "facts": [
            (_("Operator"), found.operator.name),
            (_("Card type"), found.card_type.name),
            (_("Medium"), labels.MEDIA.get(found.medium, found.medium)),
            (_("Queued"), formats.count(progress.queued)),
            (_("In work"), formats.count(progress.in_work)),
            (_("Rejected"), formats.count(progress.rejected)),
            (_("Rolled back"), formats.count(progress.rolled_back)),
            (_("Cards an hour"), formats.count(progress.per_hour) if progress.per_hour else "–"),
            (_("Done at this pace"), formats.moment(progress.ends_at)),
        ],
    }


def _holder(job: Job, request: HttpRequest) -> Any:
    """Whom it is for: by name for those who may see cardholders, by number for others."""
    if job.holder is None:
        return _("anonymous")
    return job.holder.name or _("anonymous") if allowed(request, Can.VIEW_HOLDERS) else job.holder_id


def _jobs_table(page: list[Job], request: HttpRequest) -> Table:
    rows = [
        [
            Cell(job.pk, reverse("admin:centre_job", args=[job.pk])),
            Cell(job.card_no, reverse("admin:centre_card", args=[job.card_no]) if job.state == JobState.DONE else ""),
            _holder(job, request),
            job.stock_serial or "–",
            Cell(
                job.get_state_display(), tone=JOB_TONES.get(job.state, ""), note=_("to be rolled back") if job.roll_back else ""
            ),
            reason_of(job),
            job.station or "–",
            formats.moment(job.ended_at or job.claimed_at),
        ]
        for job in page
    ]
    columns = [
        Column(_("Job"), NUMBER), Column(_("Card"), CODE), Column(_("Cardholder")), Column(_("Serial"), CODE), Column(_("State")),
        Column(_("Reason")), Column(_("Station")), Column(_("Time"), CODE),
    ]  # fmt: skip
    return Table("jobs", columns, _("No job in this state."), rows)


def reason_of(job: Job) -> str:
    """Why the job ended as it did, in the reader's language."""
    from django.utils.translation import get_language

    return (job.reason_en if (get_language() or "").startswith("en") else job.reason_zh) or "–"


@needs(Can.RUN_BATCHES)
@require_POST
def control(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Start, pause or cancel."""
    found, act, actor = _batch(request, batch_id), request.POST.get("act", ""), of_request(request)
    acts: dict[str, tuple[Callable[..., Batch], str]] = {
        "start": (api.start, gettext_noop("batch started")),
        "pause": (api.pause, gettext_noop("batch paused")),
        "cancel": (api.cancel, gettext_noop("batch cancelled")),
    }
    if act in acts:
        perform, name = acts[act]
        attempt(request, lambda: perform(found.pk, actor=actor), name=name)
    return redirect("admin:centre_batch", batch_id)


def _job(request: HttpRequest, job_id: int) -> Job:
    bound = operators(request)
    found = api.jobs().select_related("operator").filter(pk=job_id).first()
    if found is None or (bound is not None and found.operator_id not in bound):
        raise Http404
    return found


@needs(Can.VIEW_BATCHES)
def job(request: HttpRequest, job_id: int) -> HttpResponse:
    """One job: what was done to the chip, step by step, and what may be done by hand."""
    found = _job(request, job_id)
    rows = [
        [
            formats.moment(line.at),
            line.attempt,
            line.step,
            Cell(line.get_phase_display(), tone=_phase_tone(line.phase)),
            line.note or "–",
        ]
        for line in api.steps(job_id)
    ]
    columns = [
        Column(_("Time"), CODE),
        Column(_("Touch"), NUMBER),
        Column(_("Step"), CODE),
        Column(_("Phase")),
        Column(_("Note")),
    ]
    context = {
        "title": f"{_('Job')} {found.pk}",
        "job": found,
        "tone": JOB_TONES.get(found.state, ""),
        "facts": [
            (_("Purpose"), found.get_purpose_display()),
            *_old_card(found),
            (_("Card"), found.card_no or "–"),
            (_("Cardholder"), _holder(found, request)),
            (_("Operator"), found.operator.name),
            (_("Card type"), found.card_type.name),
            (_("Medium"), labels.MEDIA.get(found.medium, found.medium)),
            (_("Serial"), found.stock_serial or "–"),
            (_("Chip serial number"), found.uid or "–"),
            (_("Station"), found.station or "–"),
            (_("By"), found.actor),
            (_("Reason"), reason_of(found)),
        ],
        "table": Table("steps", columns, _("The card has not been touched yet."), rows),
        "acts": _acts(found) if allowed(request, Can.RUN_BATCHES) else [],
    }
    return render(request, "centre/job.html", context)


def _old_card(found: Job) -> list[tuple[str, Any]]:
    """Which card it takes the place of, and why."""
    if found.old_card_no is None:
        return []
    return [(_("Replaces"), found.old_card_no), (_("Asked for because"), found.why or "–")]


def _phase_tone(phase: str) -> str:
    return {"done": "good", "found": "good", "unknown": "bad", "refused": "bad"}.get(phase, "")


def _acts(found: Job) -> list[dict[str, Any]]:
    state, acts = JobState(found.state), []
    if state in (JobState.FAILED, JobState.ROLLED_BACK) and not Job.objects.filter(retry_of=found).exists():
        acts.append({"act": "retry", "title": _("Make it again"), "reason": False})
    if state is JobState.QUEUED and found.medium in _BY_HAND:
        acts.append({"act": "bind", "title": _("Bind and issue"), "uid": found.medium == Medium.UID})
    if state is JobState.QUEUED or (state in _OPEN and not found.roll_back):
        acts.append({"act": "roll_back", "title": _("Roll back"), "reason": True})
    if state in _OPEN:
        acts.append({"act": "write_off", "title": _("Write the card off"), "reason": True})
    return acts


@needs(Can.RUN_BATCHES)
@require_POST
def job_act(request: HttpRequest, job_id: int) -> HttpResponse:
    """Retry, roll back, write off, or bind a medium without a chip."""
    found, act, actor = _job(request, job_id), request.POST.get("act", ""), of_request(request)
    reason = request.POST.get("reason", "").strip()[:200]
    again, target = request.POST.get("again") == "1", [job_id]

    def perform() -> Job:
        if act == "retry":
            target[0] = api.retry(job_id, actor=actor).pk
        elif act == "roll_back":
            api.roll_back(job_id, actor=actor, reason=reason, again=again)
        elif act == "write_off":
            api.write_off(job_id, actor=actor, reason=reason, again=again)
        elif act == "bind":
            _bind(request, job_id, actor)
        return found

    name = {
        "retry": gettext_noop("job made again"),
        "roll_back": gettext_noop("job rolled back"),
        "write_off": gettext_noop("card written off"),
        "bind": gettext_noop("medium bound"),
    }.get(act)
    if name is not None:
        attempt(request, perform, name=name, done=_("Done."))
    return redirect("admin:centre_job", target[0])


def _bind(request: HttpRequest, job_id: int, actor: Actor) -> None:
    from onecard.kernel.errors import InvalidInput

    try:
        uid = bytes.fromhex(request.POST.get("uid", ""))
    except ValueError:
        raise InvalidInput("UID 须为十六进制", "the UID is written in hexadecimal") from None
    api.bind(job_id, uid=uid, serial=number(request.POST.get("serial")), actor=actor)
