"""Settlement runs and their sheets (S1-S3): cut the day, watch a run, look at its sheets, download them."""

import tempfile
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from procrastinate.contrib.django.models import ProcrastinateJob

from onecard.consoles.centre import audit, formats
from onecard.consoles.centre.pages.base import address, needs, number, render
from onecard.consoles.centre.roles import Can, allowed
from onecard.services.operators.models import Operator
from onecard.services.settlement import api
from onecard.services.settlement.models import SettlementRun
from onecard.services.settlement.tasks import settle_run

_RUNS = 50
_PREVIEW = 200
STATES = ("cut", "cleared", "settled", "balanced")
_TONES = {"balanced": "good", "unbalanced": "bad"}
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@needs(Can.VIEW_SETTLEMENT)
def runs(request: HttpRequest) -> HttpResponse:
    """The newest runs, and the button that cuts the day."""
    before = number(request.GET.get("before"))
    found = SettlementRun.objects.order_by("-id")
    page = list((found if before is None else found.filter(pk__lt=before))[:_RUNS])
    calendar, oldest = api.calendar(), api.oldest_unsettled()
    return render(
        request,
        "centre/runs.html",
        {
            "title": _("Settlement runs"),
            "runs": [_run_row(run) for run in page],
            "next": address(request, before=page[-1].pk) if len(page) == _RUNS else None,
            "open_date": calendar.open_date.isoformat(),
            "cut_time": f"{calendar.cut_time:%H:%M}",
            "oldest": formats.moment(oldest),
            "may_run": allowed(request, Can.RUN_SETTLEMENT),
        },
    )


def _run_row(run: SettlementRun) -> dict[str, Any]:
    return {
        "pk": run.pk,
        "business_date": run.business_date.isoformat(),
        "part_no": run.part_no,
        "automatic": run.automatic,
        "state": run.get_state_display(),
        "state_code": run.state,
        "tone": _TONES.get(run.state, "warn"),
        "cut_at": formats.moment(run.cut_at),
        "cleared_at": formats.moment(run.cleared_at),
        "settled_at": formats.moment(run.settled_at),
        "checked_at": formats.moment(run.checked_at),
        "transfer_count": formats.count(run.transfer_count),
        "gross": formats.yuan(run.gross_fen),
        "fee": formats.yuan(run.fee_fen),
        "failure": run.failure,
    }


def _run_or_404(run_id: int) -> SettlementRun:
    run = SettlementRun.objects.filter(pk=run_id).first()
    if run is None:
        raise Http404
    return run


@needs(Can.RUN_SETTLEMENT)
@require_POST
def cut(request: HttpRequest) -> HttpResponse:
    """Cut the day now and have the worker settle it: the cut and the task are one transaction."""
    with transaction.atomic():
        run = api.day_cut()
        settle_run.defer(run_id=run.pk)
        audit.record(request, run, gettext_noop("day cut and settlement started"))
    return redirect("admin:centre_run", run.pk)


@needs(Can.RUN_SETTLEMENT)
@require_POST
def settle(request: HttpRequest, run_id: int) -> HttpResponse:
    """Have the worker settle a run that is not done, or compute a done one again; nothing is posted twice."""
    run = _run_or_404(run_id)
    repeat = run.state in ("balanced", "unbalanced")
    if _job(run_id) is None:
        with transaction.atomic():
            settle_run.defer(run_id=run.pk, repeat=repeat)
            audit.record(request, run, gettext_noop("settlement repeated") if repeat else gettext_noop("settlement started"))
    else:
        messages.info(request, _("This run is being settled already."))
    return redirect("admin:centre_run", run.pk)


def _job(run_id: int) -> str | None:
    """The state of the run's task in the queue: todo, doing, or None where there is none."""
    jobs = ProcrastinateJob.objects.filter(task_name="settle_run", args__run_id=run_id, status__in=("todo", "doing"))
    return jobs.values_list("status", flat=True).order_by("-id").first()


@needs(Can.VIEW_SETTLEMENT)
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """One run: how far it is, its figures, its sheets and their downloads."""
    found = _run_or_404(run_id)
    sheet = request.GET.get("sheet", "platform")
    if sheet not in api.SHEET_COLUMNS:
        raise Http404
    return render(
        request,
        "centre/run.html",
        {
            "title": f"{_('Settlement run')} {found.pk}",
            "run": _run_row(found),
            "progress": _progress(found),
            "sheet": sheet,
            "sheets": [{"key": key, "title": _own_language(title)} for key, title in api.SHEET_TITLES.items()],
            **_sheet_table(run_id, sheet),
            "may_run": allowed(request, Can.RUN_SETTLEMENT),
        },
    )


def _progress(run: SettlementRun) -> dict[str, Any]:
    job = _job(run.pk)
    done = run.state in ("balanced", "unbalanced") and job is None
    waiting = {"todo": _("waiting for a worker"), "doing": _("a worker is on it")}.get(job or "", _("stopped: start it again"))
    return {
        "state": run.get_state_display(),
        "tone": _TONES.get(run.state, "warn"),
        "steps": len(STATES) if run.state == "unbalanced" else STATES.index(run.state) + 1,
        "of": len(STATES),
        "done": done,
        "note": "" if done else waiting,
    }


@needs(Can.VIEW_SETTLEMENT)
def run_state(request: HttpRequest, run_id: int) -> JsonResponse:
    """How far a run is: asked by its page until it is done."""
    return JsonResponse(_progress(_run_or_404(run_id)))


def _own_language(title: str) -> str:
    """The reader's half of a title that stands in both languages, Chinese first."""
    chinese, _space, english = title.partition(" ")
    return english if (get_language() or "").startswith("en") else chinese


def _sheet_table(run_id: int, sheet: str) -> dict[str, Any]:
    """The first rows of a sheet; columns that are empty throughout are left out on the page (not in the files)."""
    english = (get_language() or "").startswith("en")
    columns = api.SHEET_COLUMNS[sheet]
    found = list(api.sheet_rows(run_id, sheet).values(*(column.field for column in columns))[: _PREVIEW + 1])
    kept = [c for c in columns if c.kind in ("text", "date") or any(row[c.field] for row in found)]
    operators = dict(Operator.objects.values_list("id", "name")) if sheet == "netting" else {}
    return {
        "columns": [{"title": c.en if english else c.zh, "number": c.kind in ("count", "fen")} for c in kept],
        "rows": [
            {"total": row.get("business_date", "") is None, "cells": [_cell(row[c.field], c, operators) for c in kept]}
            for row in found[:_PREVIEW]
        ],
        "more": len(found) > _PREVIEW,
    }


def _cell(value: Any, column: api.Column, operators: dict[int, str]) -> dict[str, Any]:
    if column.kind == "fen":
        return {"text": formats.yuan(value), "number": True}
    if column.kind == "count":
        return {"text": formats.count(value), "number": True}
    if column.kind == "date":
        return {"text": value.isoformat() if value else _("total"), "number": False}
    if column.field in ("debtor_id", "creditor_id"):
        return {"text": operators.get(value, value), "number": False}
    if column.field == "basis":
        return {"text": {"purchases": _("Purchases"), "fees": _("Platform fees")}.get(value, value), "number": False}
    return {"text": value, "number": False}


@needs(Can.VIEW_SETTLEMENT)
def download(
    request: HttpRequest, run_id: int, sheet: str, extension: str
) -> HttpResponse | StreamingHttpResponse | FileResponse:
    """A sheet as CSV or XLSX, or with `all` the whole workbook; streamed, so that any length takes bounded memory."""
    found = _run_or_404(run_id)
    if sheet != "all" and sheet not in api.SHEET_COLUMNS:
        raise Http404
    name = f"settlement-{found.business_date:%Y%m%d}-{found.part_no:02d}-run{found.pk}-{sheet}.{extension}"
    if extension == "csv" and sheet != "all":
        response = StreamingHttpResponse(api.csv_chunks(run_id, sheet), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
    if extension != "xlsx":
        raise Http404
    # On disk, not in memory: openpyxl writes row by row. FileResponse closes, and so removes, the file.
    file = tempfile.TemporaryFile()  # noqa: SIM115
    api.write_xlsx(run_id, file, sheets=() if sheet == "all" else (sheet,))
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=name, content_type=_XLSX)
