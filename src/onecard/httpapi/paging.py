"""Pages by key: a list goes down an index and stops; no count, no offset. `next` is handed back as `after`."""

from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from ninja import Field, Schema

from onecard.kernel.errors import InvalidInput

T = TypeVar("T")
_M = TypeVar("_M", bound=Model)
MOST = 200


class Page(Schema, Generic[T]):
    """A page of a list; `next` is null on the last one."""

    items: list[T]
    next: str | None


class PageQuery(Schema):
    """Which page."""

    limit: int = Field(50, ge=1, le=MOST, description="rows a page / 每页行数")
    after: str | None = Field(None, max_length=40, description="`next` of the page before / 上一页的 next")


def take(found: "QuerySet[_M]", query: PageQuery, *, key: str = "pk", newest_first: bool = False) -> dict[str, Any]:
    """A page of a query set in the order of a unique whole-number key. Raises InvalidInput for a cursor that is none."""
    if query.after is not None:
        if not query.after.isdecimal():
            raise InvalidInput("after 不是本接口给出的游标", "`after` is not a cursor of ours")
        found = found.filter(**{f"{key}__{'lt' if newest_first else 'gt'}": int(query.after)})
    rows = list(found.order_by(f"-{key}" if newest_first else key)[: query.limit + 1])
    last = str(getattr(rows[query.limit - 1], key)) if len(rows) > query.limit else None
    return {"items": rows[: query.limit], "next": last}
