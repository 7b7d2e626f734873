"""What `onecard cards` says of a card in the place of another: which, and that the old one decides the rest."""

from typing import TYPE_CHECKING, Any

from onecard.cli.cards_words import refusal

if TYPE_CHECKING:
    from onecard.ledger.codes import Medium
    from onecard.services.issuing.api import Renewal


def renewal(replaces: int | None, exchanges: int | None, *, medium: "Medium", given: tuple[Any, ...]) -> "Renewal":
    """The one that is asked for, `given` being what only a first card takes. Raises InvalidInput."""
    from onecard.services.issuing import api

    if replaces is not None and exchanges is not None:
        raise refusal("--replaces 与 --exchanges 只能用一个", "either --replaces or --exchanges, not both")
    if any(value not in (None, "") for value in given):
        raise refusal("补卡、换卡的账户、持卡人与卡种随原卡", "account, holder and type are those of the old card")
    if replaces is not None:
        return api.Renewal(replaces, api.Purpose.REPLACE, medium)
    assert exchanges is not None
    return api.Renewal(exchanges, api.Purpose.EXCHANGE, medium)


def require_unwritten(medium: "Medium") -> None:
    """The desk's own operation is for media that are not written. Raises InvalidInput."""
    from onecard.services.issuing import api

    if medium in api.WITH_CHIP:
        raise refusal(
            "芯片卡须写卡：onecard cards issue --replaces 或 --exchanges",
            "a card with a chip is written: onecard cards issue --replaces or --exchanges",
        )
