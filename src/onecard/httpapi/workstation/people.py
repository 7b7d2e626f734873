"""Cardholders and bulk loads (C3, C6). A document number goes in and never comes out: only its last four characters do."""

import io
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile

from onecard.httpapi.idempotency import once
from onecard.httpapi.identity import actor
from onecard.httpapi.paging import Page, PageQuery, take
from onecard.httpapi.workstation.scope import one, seen
from onecard.kernel.errors import NotFound
from onecard.services.people import api
from onecard.services.people.models import Department, Holder, LoadJob

router = Router()
READ, LOAD = "people.read", "people.load"


class HolderOut(Schema):
    """A cardholder."""

    id: int
    operator_id: int
    unit_id: int | None
    department_id: int | None
    name: str
    anonymous: bool
    document_type: str
    document_last4: str
    staff_no: str
    gender: str
    phone: str
    state: str
    created_at: datetime
    registered_at: datetime | None


class HolderQuery(PageQuery):
    """Which cardholders."""

    operator_id: int | None = None
    unit_id: int | None = None
    name: str | None = None
    phone: str | None = None
    staff_no: str | None = None


class HolderIn(Schema):
    """A cardholder to register; without a name, anonymous."""

    operator_id: int
    name: str = Field("", max_length=50)
    unit_id: int | None = None
    department_id: int | None = None
    document_type: str = ""
    document_no: str = Field("", max_length=40)
    staff_no: str = Field("", max_length=32)
    gender: str = ""
    phone: str = Field("", max_length=20)


class HolderChange(Schema):
    """What of a cardholder changes; what is left out stays."""

    name: str | None = Field(None, max_length=50)
    unit_id: int | None = None
    department_id: int | None = None
    staff_no: str | None = Field(None, max_length=32)
    gender: str | None = None
    phone: str | None = Field(None, max_length=20)


class IdentityIn(Schema):
    """Who an anonymous cardholder is."""

    name: str = Field(..., min_length=1, max_length=50)
    document_type: str
    document_no: str = Field(..., min_length=1, max_length=40)
    phone: str = Field("", max_length=20)
    gender: str = ""


class DocumentQuery(Schema):
    """A document to look for; posted, so that it stands in no address."""

    operator_id: int
    document_type: str
    document_no: str = Field(..., min_length=1, max_length=40)


class DepartmentOut(Schema):
    """A department of a unit."""

    id: int
    unit_id: int
    parent_id: int | None
    name: str
    code: str


class LoadIn(Schema):
    """What a load is asked to do; columns are found by their usual headers (docs/people.md)."""

    operator_id: int
    unit_id: int | None = None
    mode: str = "all"
    dry_run: bool = True
    document_type: str = "id_card"
    make_departments: bool = False
    card_type_id: int | None = None
    public_fen: int = Field(0, ge=0)
    private_fen: int = Field(0, ge=0)


class LoadOut(Schema):
    """A load; `done` of `total` is the part of the present state."""

    id: int
    operator_id: int
    unit_id: int | None
    file_name: str
    mode: str
    dry_run: bool
    state: str
    done: int
    total: int
    row_count: int
    bad_count: int
    holder_count: int
    account_count: int
    is_finished: bool
    failure: dict[str, str] | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @staticmethod
    def resolve_failure(job: api.Job) -> dict[str, str] | None:
        """The reason in both languages."""
        return {"zh": job.failure.zh, "en": job.failure.en} if job.failure else None


class ProblemOut(Schema):
    """What is wrong with one cell."""

    row_no: int
    field: str
    column: str
    code: str
    zh: str
    en: str


class ProblemQuery(Schema):
    """From which row on, how many."""

    after_row: int = Field(0, ge=0)
    limit: int = Field(200, ge=1, le=1000)


@router.get("/holders", response=Page[HolderOut], operation_id="list_holders")
def holders(request: HttpRequest, query: Query[HolderQuery]) -> dict[str, Any]:
    """Cardholders / 持卡人."""
    asked = query.dict(exclude={"limit", "after"}, exclude_none=True)
    return take(seen(Holder.objects.all(), actor(request, READ)).filter(**asked), query)


@router.post("/holders", response=HolderOut, operation_id="register_holder")
@once(HolderOut)
def create(request: HttpRequest, body: HolderIn) -> Holder:
    """Register a cardholder / 登记持卡人."""
    who = actor(request, "people.create", body.operator_id)
    return api.create_holder(body.operator_id, api.NewHolder(**body.dict(exclude={"operator_id"})), actor=who)


@router.post("/holders/find-by-document", response=HolderOut, operation_id="find_holder_by_document")
def find(request: HttpRequest, body: DocumentQuery) -> Holder:
    """The cardholder with a document / 按证件查持卡人."""
    who = actor(request, READ, body.operator_id)
    found = api.find_by_document(body.operator_id, body.document_type, body.document_no)
    return one(Holder.objects.filter(pk=found or 0), who)


@router.get("/holders/{holder_id}", response=HolderOut, operation_id="get_holder")
def holder(request: HttpRequest, holder_id: int) -> Holder:
    """One cardholder / 一个持卡人."""
    return one(Holder.objects.filter(pk=holder_id), actor(request, READ))


@router.patch("/holders/{holder_id}", response=HolderOut, operation_id="change_holder")
def change(request: HttpRequest, holder_id: int, body: HolderChange) -> Holder:
    """Change a cardholder's data / 修改持卡人."""
    who = actor(request, "people.change")
    one(Holder.objects.filter(pk=holder_id), who)
    return api.change_holder(holder_id, actor=who, **body.dict(exclude_unset=True))


@router.post("/holders/{holder_id}/register", response=HolderOut, operation_id="register_anonymous_holder")
def register(request: HttpRequest, holder_id: int, body: IdentityIn) -> Holder:
    """Give an anonymous cardholder a name / 实名登记."""
    who = actor(request, "people.register")
    one(Holder.objects.filter(pk=holder_id), who)
    return api.register_holder(holder_id, api.Identity(**body.dict()), actor=who)


@router.post("/holders/{holder_id}/close", response=HolderOut, operation_id="close_holder")
def close(request: HttpRequest, holder_id: int) -> Holder:
    """Close a cardholder / 注销持卡人."""
    who = actor(request, "people.close")
    found = one(Holder.objects.filter(pk=holder_id), who)
    api.close_holder(holder_id, actor=who)
    found.refresh_from_db()
    return found


@router.get("/holders/{holder_id}/photo", response={200: None}, operation_id="get_holder_photo")
def photo(request: HttpRequest, holder_id: int) -> HttpResponse:
    """The photo, as JPEG or PNG / 照片."""
    one(Holder.objects.filter(pk=holder_id), actor(request, READ))
    found = api.photo(holder_id)
    if found is None:
        raise NotFound("无照片", "there is no photo")
    return HttpResponse(found[0], content_type=found[1])


@router.post("/holders/{holder_id}/photo", response={204: None}, operation_id="set_holder_photo")
def set_photo(request: HttpRequest, holder_id: int, photo: File[UploadedFile]) -> Status[None]:
    """Another photo; JPEG or PNG, at most 200 KB / 更换照片."""
    who = actor(request, "people.change")
    one(Holder.objects.filter(pk=holder_id), who)
    api.set_photo(holder_id, photo.read(), actor=who)
    return Status(204, None)


@router.get("/units/{unit_id}/departments", response=list[DepartmentOut], operation_id="list_departments")
def departments(request: HttpRequest, unit_id: int) -> list[Department]:
    """The departments of a unit / 单位的部门."""
    found = Department.objects.filter(unit_id=unit_id).order_by("id")
    return list(seen(found, actor(request, READ), by="unit__operator_id"))


@router.get("/loads", response=list[LoadOut], operation_id="list_loads")
def loads(request: HttpRequest) -> list[api.Job]:
    """The newest fifty loads / 最近的批量导入."""
    return api.recent_jobs(actor=actor(request, LOAD))


@router.post("/loads", response={202: LoadOut}, operation_id="start_load")
def start_load(request: HttpRequest, file: File[UploadedFile], options: Form[LoadIn]) -> Status[api.Job]:
    """Begin a load; a worker does it, ask for the load to see how far it is / 开始批量导入."""
    who = actor(request, LOAD, options.operator_id)
    assert file.file is not None, "an upload has its file open"
    job = api.start_load(file.file, api.LoadOptions(**options.dict()), actor=who, file_name=file.name or "")
    return Status(202, job)


def _load(request: HttpRequest, job_id: int) -> Any:
    """Who asks, and whether the load is theirs to see."""
    who = actor(request, LOAD)
    one(LoadJob.objects.filter(pk=job_id), who)
    return who


@router.get("/loads/{job_id}", response=LoadOut, operation_id="get_load")
def load(request: HttpRequest, job_id: int) -> api.Job:
    """How far a load is / 导入进度."""
    return api.job_progress(job_id, actor=_load(request, job_id))


@router.get("/loads/{job_id}/problems", response=list[ProblemOut], operation_id="list_load_problems")
def problems(request: HttpRequest, job_id: int, query: Query[ProblemQuery]) -> list[api.Problem]:
    """What is wrong, cell by cell / 错误明细."""
    found = api.problems_of(job_id, actor=_load(request, job_id), limit=query.limit, after_row=query.after_row)
    return list(found)


@router.get("/loads/{job_id}/report", response={200: None}, operation_id="get_load_report")
def report(request: HttpRequest, job_id: int) -> HttpResponse:
    """The report as CSV / 错误报告（CSV）."""
    text = io.StringIO()
    api.write_report(job_id, text, actor=_load(request, job_id))
    return HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
