"""Roll-outs (D2): releases, plans, approval by another person, and the progress of each group and device as it goes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from django.views.decorators.http import require_POST

from onecard.consoles.centre import formats
from onecard.consoles.centre.identity import of_request
from onecard.consoles.centre.pages.acts import attempt, submit
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can, allowed
from onecard.consoles.centre.said import DATA_NAMES, data_name, in_words
from onecard.kernel.errors import NotFound
from onecard.services.rollouts import api
from onecard.services.rollouts.models import Action, Rollout

PAGE = 50
TONES = {
    "draft": "", "approved": "", "running": "warn", "paused": "", "stopped": "bad", "finished": "good", "cancelled": "",
    "waiting": "", "open": "warn", "passed": "good", "pending": "", "told": "", "downloading": "warn", "installing": "warn",
    "done": "good", "failed": "bad", "refused": "bad", "released": "good", "withdrawn": "bad",
}  # fmt: skip
_CONTROLS: dict[str, tuple[str, ...]] = {
    "draft": ("approve", "cancel"),
    "approved": ("start", "cancel"),
    "running": ("pause", "cancel"),
    "paused": ("resume", "cancel"),
}
_NAMES = {
    "approve": gettext_lazy("Approve"),
    "start": gettext_lazy("Start"),
    "pause": gettext_lazy("Pause"),
    "resume": gettext_lazy("Resume"),
    "cancel": gettext_lazy("Cancel the roll-out"),
}
_PLACES = (
    ("front_end", gettext_lazy("front-ends")),
    ("terminal", gettext_lazy("straight terminals")),
    ("behind", gettext_lazy("terminals behind a front-end")),
)
_CONDITIONS = {
    "operators": gettext_lazy("operators"),
    "units": gettext_lazy("units"),
    "lines": gettext_lazy("lines"),
    "terminals": gettext_lazy("terminals"),
    "kinds": gettext_lazy("devices"),
    "drivers": gettext_lazy("drivers"),
    "makers": gettext_lazy("makers"),
    "models": gettext_lazy("models"),
    "hardware": gettext_lazy("hardware"),
}


class NumbersField(forms.CharField):
    """Numbers with commas or spaces between them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=2000, **kwargs)

    def clean(self, value: Any) -> Any:
        """A tuple of them."""
        found = [number(word) for word in (super().clean(value) or "").replace(",", " ").replace("，", " ").split()]
        if None in found:
            raise forms.ValidationError(_("Give numbers with commas between them."))
        return tuple(found)


class PlanForm(forms.Form):
    """Who gets the release, in which groups, and when."""

    title = forms.CharField(label=gettext_lazy("Name"), max_length=60)
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("Devices"), choices=_PLACES, required=False, widget=forms.CheckboxSelectMultiple
    )
    units = NumbersField(label=gettext_lazy("Units (numbers; empty: all)"))
    lines = NumbersField(label=gettext_lazy("Lines (numbers; empty: all)"))
    models = forms.CharField(label=gettext_lazy("Models (with commas between; empty: all)"), required=False, max_length=500)
    canary_units = NumbersField(label=gettext_lazy("Units of the canary group (empty: by its share)"))
    canary_share = forms.IntegerField(label=gettext_lazy("Canary group: share (‰)"), min_value=0, max_value=1000, initial=10)
    canary_error = forms.IntegerField(
        label=gettext_lazy("Canary group: errors above (‰) stop"), min_value=0, max_value=1000, initial=0
    )
    soak_minutes = forms.IntegerField(
        label=gettext_lazy("Canary group: watched for (minutes)"), min_value=0, max_value=43200, initial=0
    )
    second_share = forms.IntegerField(label=gettext_lazy("Second group: share (‰)"), min_value=0, max_value=1000, initial=190)
    success = forms.IntegerField(
        label=gettext_lazy("Success (‰) that opens the next group"), min_value=0, max_value=1000, initial=900
    )
    error = forms.IntegerField(label=gettext_lazy("Later groups: errors above (‰) stop"), min_value=0, max_value=1000, initial=50)
    window_start = forms.TimeField(
        label=gettext_lazy("Window from"), required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )
    window_end = forms.TimeField(
        label=gettext_lazy("Window until"), required=False, widget=forms.TimeInput(attrs={"type": "time"})
    )

    def clean(self) -> dict[str, Any]:
        """A window has both ends."""
        values = super().clean() or self.cleaned_data
        if (values.get("window_start") is None) != (values.get("window_end") is None):
            raise forms.ValidationError(_("A window has a beginning and an end."))
        return values


@needs(Can.VIEW_ROLLOUTS)
def rollouts(request: HttpRequest) -> HttpResponse:
    """Releases, and the newest roll-outs with their progress."""
    actor, may_run = of_request(request), allowed(request, Can.RUN_ROLLOUTS)
    context = {
        "title": _("Roll-outs"),
        "has_repository": api.has_repository(),
        "rollouts": _rollouts_table(api.rollouts(actor=actor)),
        "releases": _releases_table(api.releases(actor=actor), may_run=may_run),
    }
    return render(request, "centre/rollouts.html", context)


def _rollouts_table(found: list[api.Progress]) -> Table:
    columns = [
        Column(_("Number"), NUMBER), Column(_("Name")), Column(_("Released file")), Column(_("State")), Column(_("Done"), NUMBER),
        Column(_("Errors"), NUMBER), Column(_("By")), Column(_("Started"), CODE),
    ]  # fmt: skip
    rows = [
        [
            Cell(one.rollout.pk, reverse("admin:centre_rollout", args=[one.rollout.pk])),
            one.rollout.title,
            Cell(str(one.rollout.release.title), note=f"{data_name(one.rollout.release.kind)} {one.rollout.release.version}"),
            Cell(one.rollout.get_state_display(), tone=TONES.get(one.rollout.state, ""), note=_reason(one.rollout)),
            f"{formats.count(one.done)} / {formats.count(one.size)}",
            formats.count(one.errors),
            Cell(one.rollout.created_by, note=one.rollout.approved_by or ""),
            formats.moment(one.rollout.started_at) if one.rollout.started_at else "–",
        ]
        for one in found
    ]
    return Table("rollouts", columns, _("Nothing has been rolled out yet."), rows)


def _releases_table(found: list[Any], *, may_run: bool) -> Table:
    columns = [
        Column(_("Number"), NUMBER), Column(_("Kind")), Column(_("Version"), NUMBER), Column(_("Name")), Column(_("Hardware")),
        Column(_("Bytes"), NUMBER), Column(_("State")), Column(_("Handed in"), CODE), Column(""),
    ]  # fmt: skip
    rows = [
        [
            one.pk,
            Cell(data_name(one.kind), note=one.kind if one.kind in DATA_NAMES else ""),
            one.version,
            Cell(one.title, note=one.note),
            ", ".join(one.hardware_ids) or _("all"),
            formats.count(one.blob.length),
            Cell(one.get_state_display(), tone=TONES.get(one.state, "")),
            Cell(formats.moment(one.created_at), note=one.created_by),
            _plan_link(one, may_run=may_run),
        ]
        for one in found[:PAGE]
    ]
    return Table("releases", columns, _("No release has been handed in yet: onecard rollout release add"), rows)


def _plan_link(release: Any, *, may_run: bool) -> Cell:
    if may_run and release.state == api.ReleaseState.RELEASED:
        return Cell(_("Plan a roll-out"), reverse("admin:centre_rollout_new", args=[release.pk]))
    return Cell("")


@needs(Can.RUN_ROLLOUTS)
def new_rollout(request: HttpRequest, release_id: int) -> HttpResponse:
    """Plan one, for another person to approve."""
    try:
        release = api.get_release(release_id)
    except NotFound:
        raise Http404 from None
    form = PlanForm(request.POST or None, initial={"title": f"{release.title} {release.version}"})
    made: list[Rollout] = []

    def perform(values: dict[str, Any]) -> Rollout:
        made.append(_plan(request, release_id, values))
        return made[0]

    done = _("Planned. Another person has to approve it.")
    if request.method == "POST" and submit(request, form, perform, name=gettext_noop("roll-out planned"), done=done):
        return redirect("admin:centre_rollout", made[0].pk)
    hint = f"{data_name(release.kind)} {release.version} · {', '.join(release.hardware_ids) or _('all')}"
    context = {
        "title": _("Plan a roll-out"), "hint": hint, "form": form, "button": _("Plan"), "back": reverse("admin:centre_rollouts"),
    }  # fmt: skip
    return render(request, "centre/act.html", context)


def _plan(request: HttpRequest, release_id: int, values: dict[str, Any]) -> Rollout:
    models = tuple(word.strip() for word in values["models"].replace("，", ",").split(",") if word.strip())
    target = api.TargetFilter(kinds=tuple(values["kinds"]), units=values["units"], lines=values["lines"], models=models)
    canary = api.GroupPlan(
        _("Canary group"), values["canary_share"], values["success"], values["canary_error"], values["soak_minutes"] * 60
    )
    later = [(_("Second group"), values["second_share"])] if values["second_share"] else []
    rest = [api.GroupPlan(name, share, values["success"], values["error"]) for name, share in [*later, (_("All others"), 1000)]]
    window = (values["window_start"], values["window_end"]) if values["window_start"] is not None else None
    return api.plan_rollout(
        release_id, title=values["title"], target=target, groups=[canary, *rest], canary_units=values["canary_units"],
        window=window, actor=of_request(request),
    )  # fmt: skip


@needs(Can.VIEW_ROLLOUTS)
def rollout(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """One: facts, groups and devices; a page that is open follows it."""
    actor = of_request(request)
    try:
        found = api.rollout(rollout_id, actor=actor)
    except NotFound:
        raise Http404 from None
    context = _progress(request, found)
    if request.headers.get("HX-Request"):
        return render(request, "centre/rollout_progress.html", context)
    state, after = request.GET.get("state", ""), number(request.GET.get("after")) or 0
    states = (state,) if state in api.ActionState.values else ()
    page = api.actions(rollout_id, actor=actor, states=states, after=after, limit=PAGE)
    own = found.rollout.created_by == actor.name
    controls = _CONTROLS.get(found.rollout.state, ()) if allowed(request, Can.RUN_ROLLOUTS) else ()
    context |= {
        "title": found.rollout.title,
        "controls": [(act, _NAMES[act]) for act in controls if not (act == "approve" and own)],
        "waits_for_another": found.rollout.state == "draft" and own,
        "table": _actions_table(page),
        "state": state,
        "states": api.ActionState.choices,
        "next": address(request, after=page[-1].pk) if len(page) == PAGE else None,
        "first": address(request, after=None) if after else None,
    }
    return render(request, "centre/rollout.html", context)


def _progress(request: HttpRequest, found: api.Progress) -> dict[str, Any]:
    one = found.rollout
    release = one.release
    window = f"{one.window_start:%H:%M}–{one.window_end:%H:%M}" if one.window_start and one.window_end else _("the whole day")
    return {
        "rollout": one,
        "reason": _reason(one),
        "tone": TONES.get(one.state, ""),
        "moving": one.state in ("running", "paused"),
        "url": reverse("admin:centre_rollout", args=[one.pk]),
        "done": f"{formats.count(found.done)} / {formats.count(found.size)}",
        "size": found.size or 1,
        "done_count": found.done,
        "at": formats.clock(datetime.now(UTC)),
        "facts": [
            (_("Released file"), f"{release.title} · {data_name(release.kind)} {release.version}"),
            (_("Target"), _target_text(one)),
            (_("Window"), window),
            (_("Planned by"), f"{one.created_by} {formats.moment(one.created_at)}"),
            (_("Approved by"), f"{one.approved_by} {formats.moment(one.approved_at)}" if one.approved_by else "–"),
            (_("Started"), formats.moment(one.started_at) if one.started_at else "–"),
            (_("Ended"), formats.moment(one.ended_at) if one.ended_at else "–"),
        ],
        "groups": [_group(group) for group in found.groups],
    }


def _reason(one: Rollout) -> str:
    """Why it was stopped, from its parts; what a person wrote, as it was written."""
    why, said = one.why, ""
    if why.get("what") == api.StopReason.ERRORS:
        said = _("“%(group)s”: errors on %(errors)s of %(size)s devices; the last: “%(said)s”")
    elif why.get("what") == api.StopReason.TOO_FEW:
        said = _("“%(group)s” is through and has not come to its share of success")
    elif why.get("what") == api.StopReason.WITHDRAWN:
        said = _("the release was withdrawn")
    return said % {**why, "said": in_words(why.get("said", ""))} if said else one.reason


def _target_text(one: Rollout) -> str:
    places: dict[str, Any] = dict(_PLACES)
    words = [
        f"{_CONDITIONS.get(name, name)}: {', '.join(str(places.get(each, each) if name == 'kinds' else each) for each in value)}"
        for name, value in one.target.items()
    ]
    return "; ".join(words) or _("all devices the release is for")


def _group(progress: api.GroupProgress) -> dict[str, Any]:
    group = progress.group
    rules = _("next group from %(success)s ‰, stop above %(error)s ‰") % {
        "success": group.success_permille,
        "error": group.error_permille,
    }
    return {
        "no": group.no,
        "title": group.title,
        "state": group.get_state_display(),
        "tone": TONES.get(group.state, ""),
        "size": progress.size,
        "most": progress.size or 1,
        "done": progress.done,
        "errors": progress.errors,
        "under_way": progress.under_way,
        "rules": rules + (" · " + _("watched for %(minutes)s min") % {"minutes": group.soak_s // 60} if group.soak_s else ""),
        "opened": formats.moment(group.opened_at) if group.opened_at else "–",
    }


def _actions_table(page: list[Action]) -> Table:
    columns = [
        Column(_("Line")), Column(_("Terminal"), CODE), Column(_("Group"), NUMBER), Column(_("State")),
        Column(_("Progress"), NUMBER), Column(_("Note")), Column(_("Changed"), CODE),
    ]  # fmt: skip
    rows = [
        [
            Cell(action.line.name, note=action.line.unit.name if action.line.unit else ""),
            action.terminal.tid if action.terminal else "–",
            action.group.no,
            Cell(action.get_state_display(), tone=TONES.get(action.state, "")),
            f"{action.progress_permille // 10} %",
            in_words(action.detail) or "–",
            formats.moment(action.changed_at),
        ]
        for action in page
    ]
    return Table("actions", columns, _("No device yet: they are chosen when it starts."), rows)


@needs(Can.RUN_ROLLOUTS)
@require_POST
def control(request: HttpRequest, rollout_id: int) -> HttpResponse:
    """Approve, start, pause, resume or cancel."""
    act, actor = request.POST.get("act", ""), of_request(request)
    acts: dict[str, tuple[Callable[..., Rollout], str]] = {
        "approve": (api.approve_rollout, gettext_noop("roll-out approved")),
        "start": (api.start_rollout, gettext_noop("roll-out started")),
        "pause": (api.pause_rollout, gettext_noop("roll-out paused")),
        "resume": (api.resume_rollout, gettext_noop("roll-out resumed")),
        "cancel": (api.cancel_rollout, gettext_noop("roll-out cancelled")),
    }
    if act in acts:
        perform, name = acts[act]
        attempt(request, lambda: perform(rollout_id, actor=actor), name=name, done=_("Done."))
    return redirect("admin:centre_rollout", rollout_id)
