"""The contract every operation keeps: the document is sound, nobody gets in unasked, nothing is done without its permission."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.test import Client

from onecard.httpapi.workstation.api import api
from tests.httpapi.conftest import BASE, anybody

DOCUMENT: dict[str, Any] = dict(api.get_openapi_schema(path_prefix=f"{BASE}/"))
SAMPLES = {"date": "2026-03-02", "date-time": "2026-03-02T12:00:00+08:00", "binary": "x"}
OPEN_TO_ALL = {"me"}


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


OPERATIONS = list(_operations())


def _follow(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _sample(schema: dict[str, Any]) -> Any:
    """The plainest value a schema lets in."""
    schema = _follow(schema)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _sample(schema[choice][0])
    kind = schema.get("type")
    if kind == "object":
        return {name: _sample(part) for name, part in schema.get("properties", {}).items() if name in schema.get("required", ())}
    if kind == "array":
        return [_sample(schema["items"])] * schema.get("minItems", 0)
    if kind == "string":
        return SAMPLES.get(schema.get("format", ""), "0" * max(schema.get("minLength", 1), 2))
    if kind == "integer":
        return max(schema.get("minimum", 1), 1)
    return {"boolean": True, "number": 1}.get(str(kind))


def call(client: Client, method: str, path: str, operation: dict[str, Any]) -> Any:
    """Call an operation with the plainest content it lets in."""
    headers, query = {}, {}
    for parameter in operation.get("parameters", ()):
        value = str(_sample(parameter["schema"]))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", value)
        elif parameter["required"] and parameter["in"] == "header":
            headers[parameter["name"]] = value.ljust(8, "0")
        elif parameter["required"]:
            query[parameter["name"]] = value
    body = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in body:
        from django.core.files.uploadedfile import SimpleUploadedFile

        form = _follow(body["multipart/form-data"]["schema"])
        data = {
            name: SimpleUploadedFile("x.csv", b"x") if part.get("format") == "binary" else str(_sample(part))
            for name, part in form["properties"].items()
            if name in form.get("required", ())
        }
        return getattr(client, method)(path, data, headers=headers)
    content = {"data": _sample(body["application/json"]["schema"])} if "application/json" in body else {"data": query}
    kind = {} if method == "get" else {"content_type": "application/json"}
    return getattr(client, method)(path, **content, **kind, headers=headers)


def test_nobody_gets_an_answer_without_being_somebody(centre: object) -> None:
    client = anybody()
    for method, path, operation in OPERATIONS:
        answer = call(client, method, path, operation)
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json"), operation["operationId"]


def test_an_operation_asks_for_its_permission_before_anything_else(program: Callable[..., Client]) -> None:
    """A program that carries a permission nobody asks for is refused everywhere, before anything is looked up."""
    client = program(only=["transactions.read"])
    for method, path, operation in OPERATIONS:
        if operation["operationId"] in OPEN_TO_ALL:
            continue
        answer = call(client, method, path, operation)
        assert answer.status_code == 403, (operation["operationId"], answer.status_code, answer.content)
        assert answer.json()["code"] == "FORBIDDEN"


def test_the_document_is_sound() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    ids = [operation["operationId"] for _method, _path, operation in OPERATIONS]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"[a-z][a-z0-9_]+", name) for name in ids)
    for _method, path, operation in OPERATIONS:
        declared = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), path
        assert operation["security"], f"{path} is open to everybody"
        assert re.search(r"[\u4e00-\u9fff]", operation.get("description", "")), f"{path} says nothing in Chinese"
        assert operation["tags"] and any(code.startswith("2") for code in map(str, operation["responses"]))
    refs = set(re.findall(r"'\$ref': '([^']+)'", repr(DOCUMENT)))
    names = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert refs <= names
    assert {"BearerToken", "ConsoleSession"} <= set(DOCUMENT["components"]["securitySchemes"])


def test_the_documentation_is_for_those_signed_in_and_asks_nobody_else(signed_in: Callable[..., Client]) -> None:
    assert anybody().get(f"{BASE}/docs").headers["Location"] == f"/centre/login/?next={BASE}/docs"
    assert anybody().get(f"{BASE}/openapi.json").status_code == 302
    client = signed_in()
    page = client.get(f"{BASE}/docs")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert sources and all(source.startswith("/static/ninja/") for source in sources)
    assert client.get(f"{BASE}/openapi.json").json()["paths"].keys() == DOCUMENT["paths"].keys()
