"""Who one is over REST, and what one may do: the first thing a workstation asks."""

from django.http import HttpRequest
from ninja import Router, Schema

from onecard.services.actors import Actor

router = Router()


class Me(Schema):
    """Who asks; `operators` null means all."""

    name: str
    permissions: list[str]
    operators: list[int] | None


@router.get("/me", response=Me, operation_id="me")
def me(request: HttpRequest) -> Me:
    """Who one is, with one's permissions and operators / 当前用户及权限."""
    found: Actor = request.auth  # type: ignore[attr-defined]
    operators = None if found.operators is None else sorted(found.operators)
    return Me(name=found.name, permissions=sorted(found.permissions), operators=operators)
