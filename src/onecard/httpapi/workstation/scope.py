"""Keeping to the operators one is bound to (N3): lists are cut to them, and what lies outside does not exist."""

from typing import TypeVar

from django.db.models import Model, QuerySet

from onecard.kernel.errors import NotFound
from onecard.services.actors import Actor

_M = TypeVar("_M", bound=Model)


def seen(found: "QuerySet[_M]", actor: Actor, *, by: str = "operator_id") -> "QuerySet[_M]":
    """The rows of the operators one may see."""
    return found if actor.operators is None else found.filter(**{f"{by}__in": actor.operators})


def one(found: "QuerySet[_M]", actor: Actor, *, by: str = "operator_id") -> _M:
    """The one row that is left. Raises NotFound where there is none, or none for this actor."""
    row = seen(found, actor, by=by).first()
    if row is None:
        name = found.model._meta
        raise NotFound(f"无此{name.verbose_name}", f"no such {name.model_name}")
    return row
