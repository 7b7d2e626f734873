"""What a load is asked to do, as a value that a queue can keep."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from onecard.services.people.models import LoadMode


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Who the rows belong to and what is made of them; with `card_type_id` every good row gets an account with a QR card.

    `mapping` names the file's header for a field (`{"name": "姓名"}`); fields not named are found by their usual headers.
    `document_type` is meant where the file has no column for it; amounts are those of rows without a column.
    """

    operator_id: int
    unit_id: int | None = None
    mode: str = LoadMode.ALL.value
    dry_run: bool = False
    mapping: Mapping[str, str] = field(default_factory=dict)
    document_type: str = "id_card"
    make_departments: bool = False
    card_type_id: int | None = None
    public_fen: int = 0
    private_fen: int = 0
    valid_until: date | None = None
    sheet: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        values = asdict(self)
        values["mapping"] = dict(self.mapping)
        values["valid_until"] = self.valid_until.isoformat() if self.valid_until else None
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "LoadOptions":
        """The reverse of `to_json`."""
        until = values.get("valid_until")
        return cls(**{**values, "valid_until": date.fromisoformat(until) if until else None})
