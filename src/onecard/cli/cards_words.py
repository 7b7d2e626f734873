"""What the groups under `onecard cards` share: who acts, ids of codes, and the refusal of words that say nothing."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from onecard.kernel.errors import InvalidInput
    from onecard.services.actors import Actor

Reason = Annotated[str, typer.Option("--reason", help="事由 reason")]
Key = Annotated[str, typer.Option("--key", help="幂等键：同键同内容只做一次 the same key is done once")]


def actor() -> "Actor":
    """The command line itself, with a migrated database and Django ready."""
    from onecard.datacenter import dj, prepared

    prepared.ensure()
    dj.setup()
    from onecard.services.actors import Actor

    return Actor.system("cli")


def type_id(code: str) -> int:
    """A card type by its code. Raises InvalidInput."""
    return id_of("SELECT id FROM operators_cardtype WHERE code = %s", code, what=f"卡种 card type {code}")


def id_of(query: str, code: str, *, what: str) -> int:
    """The one id that a query finds for a code. Raises InvalidInput."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(query, [code])
        rows = cursor.fetchall()
    if len(rows) != 1:
        raise refusal(f"不存在或不唯一：{what}", f"not there, or not the only one: {what}")
    return int(rows[0][0])


def refusal(zh: str, en: str) -> "InvalidInput":
    """The error to raise for words that name nothing."""
    from onecard.kernel.errors import InvalidInput

    return InvalidInput(zh, en)
