"""Errors as problem+json (RFC 9457): one table from the kernel's errors to HTTP, texts in both languages, nothing of the inside.

Members beside the standard ones: `code` (stable), `zh`, `en`, `retryable`, for a rule its `rule` and `limit`, for a bad request
its `errors`, one a field.
"""

import json
import logging
import re
from typing import Any

import psycopg
import psycopg.errors
from django.db import DataError, IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from onecard.kernel.codes import Text
from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, OneCardError, RuleViolated, Unavailable

log = logging.getLogger("onecard.httpapi")

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
_STATUS: tuple[tuple[type[OneCardError], int], ...] = (
    (InvalidInput, 422),
    (RuleViolated, 409),
    (Forbidden, 403),
    (NotFound, 404),
    (Unavailable, 503),
    (OneCardError, 500),
)
_TEXTS: dict[int, tuple[str, Text]] = {
    400: ("REQUEST.MALFORMED", Text("请求无法识别", "The request could not be understood")),
    401: ("AUTH.REQUIRED", Text("须登录或出示有效令牌", "Sign in, or present a valid token")),
    403: ("FORBIDDEN", Text("没有权限", "No permission")),
    404: ("NOT_FOUND", Text("没有此地址或对象", "There is no such address or object")),
    405: ("METHOD.NOT_ALLOWED", Text("此地址不支持该方法", "The address does not know this method")),
    413: ("REQUEST.TOO_LARGE", Text("请求过大", "The request is too large")),
    422: ("INPUT.INVALID", Text("请求内容有误", "The request is not valid")),
    429: ("AUTH.TOO_MANY", Text("错误令牌过多，请稍后再试", "Too many wrong tokens: wait before the next")),
    500: ("ONECARD.ERROR", Text("内部错误，已记录", "An error inside; it has been logged")),
}


class TooManyError(Exception):
    """Too many wrong tokens from an address: `wait_s` seconds have to pass."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(wait_s)
        self.wait_s = wait_s


class UnauthenticatedError(Exception):
    """Nobody is signed in, or the token is not valid."""


def problem(request: HttpRequest, status: int, *, code: str = "", text: Text | None = None, **members: Any) -> HttpResponse:
    """A problem+json answer; without words of its own, those of its status."""
    own_code, own_text = _TEXTS.get(status, _TEXTS[500 if status >= 500 else 400])
    said = text or own_text
    english = request.headers.get("accept-language", "").lower().startswith("en")
    body = {
        "type": f"urn:onecard:problem:{code or own_code}",
        "title": own_text.en if english else own_text.zh,
        "status": status,
        "detail": said.en if english else said.zh,
        "instance": request.path,
        "code": code or own_code,
        "zh": said.zh,
        "en": said.en,
        **{name: value for name, value in members.items() if value is not None},
    }
    return HttpResponse(json.dumps(body, ensure_ascii=False), status=status, content_type=CONTENT_TYPE)


def install(api: NinjaAPI) -> None:
    """Have an API answer every error this way."""
    api.add_exception_handler(OneCardError, _of_ours)
    api.add_exception_handler(ValidationError, _of_validation)
    api.add_exception_handler(UnauthenticatedError, _of_nobody)
    api.add_exception_handler(TooManyError, _of_too_many)
    api.add_exception_handler(Http404, lambda request, error: problem(request, 404))
    api.add_exception_handler(HttpError, _of_ninja)
    api.add_exception_handler(IntegrityError, _of_database)
    api.add_exception_handler(DataError, _of_database)
    api.add_exception_handler(Exception, _of_others)


def _of_ours(request: HttpRequest, error: OneCardError | type[OneCardError]) -> HttpResponse:
    assert isinstance(error, OneCardError)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    answer = problem(
        request,
        status,
        code=error.code,
        text=Text(error.zh, error.en),
        retryable=error.retryable,
        rule=getattr(error, "rule", None),
        limit=getattr(error, "limit", None),
    )
    if error.retryable:
        answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


def _of_validation(request: HttpRequest, error: ValidationError | type[ValidationError]) -> HttpResponse:
    assert isinstance(error, ValidationError)
    errors = [  # without pydantic's `input` and `ctx`: an answer does not give back what may be personal
        {"where": ".".join(str(part) for part in found["loc"]), "what": found["msg"]} for found in error.errors
    ]
    return problem(request, 422, errors=errors, retryable=False)


_KEY = re.compile(r"Key \((\w+)\)=")


def _of_database(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    """What only the database has refused, in words of our own: its sentences may hold what was sent."""
    assert isinstance(error, Exception)
    cause = error.__cause__
    found = cause.diag if isinstance(cause, psycopg.Error) else None
    key = _KEY.match((found.message_detail if found else "") or "")
    field = (found.column_name if found else None) or (key[1] if key else "")
    log.warning("rest: %s %s refused by the database: %s %s", request.method, request.path, type(cause).__name__, field)
    zh, en = (f"（{field}）", f" ({field})") if field else ("", "")
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return problem(request, 409, code="CONFLICT", text=Text(f"已有相同的数据{zh}", f"there is one like it already{en}"))
    if isinstance(cause, psycopg.errors.ForeignKeyViolation):
        text = Text(f"所指的对象不存在{zh}", f"what it refers to does not exist{en}")
    else:
        text = Text(f"数据超出允许的范围或格式{zh}", f"a value is outside what is allowed{en}")
    return problem(request, 422, text=text, retryable=False)


def _of_ninja(request: HttpRequest, error: HttpError | type[HttpError]) -> HttpResponse:
    assert isinstance(error, HttpError)
    if isinstance(error.__cause__, InvalidInput):  # refused while the body was read
        return _of_ours(request, error.__cause__)
    return problem(request, error.status_code)


def _of_nobody(request: HttpRequest, error: UnauthenticatedError | type[UnauthenticatedError]) -> HttpResponse:
    answer = problem(request, 401)
    answer.headers["WWW-Authenticate"] = 'Bearer realm="onecard"'
    return answer


def _of_too_many(request: HttpRequest, error: TooManyError | type[TooManyError]) -> HttpResponse:
    assert isinstance(error, TooManyError)
    answer = problem(request, 429, retryable=True)
    answer.headers["Retry-After"] = str(error.wait_s)
    return answer


def _of_others(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    log.exception("rest: %s %s", request.method, request.path, exc_info=error if isinstance(error, Exception) else None)
    return problem(request, 500)
