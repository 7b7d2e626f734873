"""Bulk loading of cardholders (C6): the file, then which column is which, then the load as it goes, its errors and its report."""

import io
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from onecard.consoles.centre import formats, labels, uploads
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.identity import of_request, operators
from onecard.consoles.centre.pages.acts import DateField, YuanField
from onecard.consoles.centre.pages.base import needs, render
from onecard.consoles.centre.pages.holders import PlaceForm
from onecard.consoles.centre.pages.panels import CODE, NUMBER, Cell, Column, Table
from onecard.consoles.centre.roles import Can
from onecard.kernel.errors import InvalidInput, NotFound, OneCardError
from onecard.services.operators.models import CardType, Operator
from onecard.services.people import api
from onecard.services.people.loads.fields import FIELDS, match_headers
from onecard.services.people.loads.source import open_source
from onecard.services.people.models.holder import DOCUMENT_CHOICES

_PREVIEW = 5
_PROBLEMS = 100
_TONES = {"done": "good", "checked": "good", "refused": "bad", "failed": "bad"}
_OPTIONS = ("document_type", "make_departments", "public_fen", "private_fen", "valid_until")


class FileForm(forms.Form):
    """The file."""

    file = forms.FileField(label=gettext_lazy("File (CSV or XLSX)"))


class LoadForm(PlaceForm):
    """Whose the rows are, which column is which, and what is made of them."""

    operator = forms.ModelChoiceField(label=gettext_lazy("Operator"), queryset=Operator.objects.none(), empty_label=None)
    mode = forms.ChoiceField(label=gettext_lazy("With wrong rows"), choices=api.LoadMode.choices)
    dry_run = forms.BooleanField(label=gettext_lazy("Only check (dry run)"), required=False, initial=True)
    document_type = forms.ChoiceField(
        label=gettext_lazy("Document, where no column says"), choices=DOCUMENT_CHOICES[1:], initial="id_card"
    )
    make_departments = forms.BooleanField(label=gettext_lazy("Make departments that are missing"), required=False)
    card_type = forms.ModelChoiceField(
        label=gettext_lazy("Open an account of card type"),
        queryset=CardType.objects.order_by("id"),
        required=False,
        empty_label=gettext_lazy("no account"),
    )
    public_fen = YuanField(label=gettext_lazy("Public purse (yuan)"), required=False)
    private_fen = YuanField(label=gettext_lazy("Private purse (yuan)"), required=False)
    valid_until = DateField(label=gettext_lazy("Cards valid until"), required=False)

    def __init__(self, *args: Any, headers: list[str], bound: frozenset[int] | None, **kwargs: Any) -> None:
        super().__init__(*args, bound=bound, **kwargs)
        for name in ("department", "staff_no", "gender", "phone"):
            del self.fields[name]
        found = Operator.objects.exclude(status="closed").order_by("id")
        self.fields["operator"].queryset = found if bound is None else found.filter(pk__in=bound)  # type: ignore[attr-defined]
        english = (get_language() or "").startswith("en")
        guessed = _guess(headers)
        choices = [("", _("no column")), *((header, header) for header in headers if header)]
        self.order_fields(["operator", "unit", "mode", "dry_run", *_OPTIONS[:2], "card_type", *_OPTIONS[2:]])
        for name, (text, _others) in FIELDS.items():
            place = guessed.get(name)
            self.fields[f"column_{name}"] = forms.ChoiceField(
                label=text.en if english else text.zh,
                choices=choices,
                required=False,
                initial="" if place is None else headers[place],
            )

    @property
    def columns(self) -> list[Any]:
        """The fields that say which column is which."""
        return [self[name] for name in self.fields if name.startswith("column_")]

    @property
    def others(self) -> list[Any]:
        """The other fields."""
        return [self[name] for name in self.fields if not name.startswith("column_")]

    def options(self) -> api.LoadOptions:
        """What was chosen, as the service takes it."""
        values = self.cleaned_data
        chosen = {name: values[f"column_{name}"] for name in FIELDS if values[f"column_{name}"]}
        return api.LoadOptions(
            operator_id=values["operator"].pk,
            unit_id=values["unit"].pk if values["unit"] else None,
            mode=values["mode"],
            dry_run=values["dry_run"],
            mapping=chosen,
            card_type_id=values["card_type"].pk if values["card_type"] else None,
            **{name: values[name] for name in _OPTIONS},
        )


def _guess(headers: list[str]) -> dict[str, int]:
    try:
        return dict(match_headers(headers, {}))
    except InvalidInput:
        return {}


@needs(Can.CHANGE_HOLDERS)
def loads(request: HttpRequest) -> HttpResponse:
    """The newest loads, and the first step of a new one: the file."""
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            return redirect("admin:centre_load_columns", uploads.keep(request, file.file, file.name))
        except OneCardError as refusal:
            form.add_error("file", error_text(refusal))
    names = dict(Operator.objects.values_list("id", "name"))
    rows = [_load_row(job, names) for job in api.recent_jobs(actor=of_request(request))]
    columns = [
        Column(_("Number"), NUMBER), Column(_("File")), Column(_("Operator")), Column(_("State")), Column(_("Rows"), NUMBER),
        Column(_("Wrong rows"), NUMBER), Column(_("Loaded"), NUMBER), Column(_("By")), Column(_("Started"), CODE),
    ]  # fmt: skip
    table = Table("loads", columns, _("Nothing has been loaded yet."), rows)
    return render(request, "centre/loads.html", {"title": _("Load cardholders from a file"), "form": form, "table": table})


def _load_row(job: api.Job, names: dict[int, str]) -> list[Any]:
    return [
        Cell(job.id, reverse("admin:centre_load", args=[job.id])),
        Cell(job.file_name, note=_("dry run") if job.dry_run else ""),
        names.get(job.operator_id, job.operator_id),
        Cell(job.state_text, tone=_TONES.get(job.state, "warn")),
        formats.count(job.row_count),
        formats.count(job.bad_count),
        formats.count(job.holder_count),
        job.created_by,
        formats.moment(job.created_at),
    ]


@needs(Can.CHANGE_HOLDERS)
def columns(request: HttpRequest, word: str) -> HttpResponse:
    """The second step: which column is which, seen on the first rows; then the load begins."""
    try:
        path, name = uploads.kept(request, word)
        with open_source(path, first=True) as source:  # a page waits for it; the load reads the whole
            headers = [str(header) for header in source.headers]
            preview = [
                [str("" if cell is None else cell) for cell in row]
                for _no, (_row, row) in zip(range(_PREVIEW), source.rows, strict=False)
            ]
            about = source.about
    except OneCardError as refusal:
        uploads.forget(request, word)
        context = {"title": _("Load cardholders from a file"), "form": FileForm(), "problem": error_text(refusal), "table": None}
        return render(request, "centre/loads.html", context)
    form = LoadForm(request.POST or None, headers=headers, bound=operators(request))
    if request.method == "POST" and form.is_valid():
        try:
            match_headers(headers, form.options().mapping)
            job = api.start_load(path, form.options(), actor=of_request(request), file_name=name)
        except OneCardError as refusal:
            form.add_error(None, error_text(refusal))
        else:
            if not job.dry_run:
                uploads.forget(request, word)
            address = reverse("admin:centre_load", args=[job.id])
            return redirect(f"{address}?file={word}" if job.dry_run else address)
    context = {
        "title": _("Which column is which"), "name": name, "about": formats.count(about), "headers": headers, "preview": preview,
        "form": form,
    }  # fmt: skip
    return render(request, "centre/load_columns.html", context)


@needs(Can.CHANGE_HOLDERS)
def load(request: HttpRequest, job_id: int) -> HttpResponse:
    """One load: how far it is, what became of it, the first errors; the page asks again by itself until it is over."""
    try:
        job = api.job_progress(job_id, actor=of_request(request))
    except NotFound:
        from django.http import Http404

        raise Http404 from None
    context = _progress(request, job)
    if request.headers.get("HX-Request"):
        return render(request, "centre/load_progress.html", context)
    word = request.GET.get("file", "")
    try:
        uploads.kept(request, word)
    except NotFound:
        word = ""
    context |= {
        "title": _("Load %(number)s") % {"number": job.id},
        "again": reverse("admin:centre_load_columns", args=[word]) if word else "",
    }
    return render(request, "centre/load.html", context)


def _progress(request: HttpRequest, job: api.Job) -> dict[str, Any]:
    english = (get_language() or "").startswith("en")
    rows = [
        [problem.row_no, problem.column, problem.en if english else problem.zh]
        for problem in (api.problems_of(job.id, actor=of_request(request), limit=_PROBLEMS) if job.is_finished else ())
    ]
    columns = [Column(_("Row"), NUMBER), Column(_("Column")), Column(_("What is wrong"))]
    return {
        "job": job,
        "tone": _TONES.get(job.state, "warn"),
        "figures": [
            (_("Rows"), formats.count(job.row_count)),
            (_("Wrong rows"), formats.count(job.bad_count)),
            (_("Loaded"), formats.count(job.holder_count)),
            (_("Accounts opened"), formats.count(job.account_count)),
        ],
        "failure": labels.own_language(job.failure) if job.failure else "",
        "table": Table("problems", columns, _("No row is wrong."), rows) if job.is_finished else None,
        "more": len(rows) >= _PROBLEMS,
        "url": reverse("admin:centre_load", args=[job.id]),
    }


@needs(Can.CHANGE_HOLDERS)
def report(request: HttpRequest, job_id: int) -> HttpResponse:
    """The report as CSV, with the mark by which spreadsheets know UTF-8."""
    text = io.StringIO()
    try:
        api.write_report(job_id, text, actor=of_request(request))
    except NotFound:
        from django.http import Http404

        raise Http404 from None
    answer = HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="load-{job_id}-report.csv"'
    return answer
