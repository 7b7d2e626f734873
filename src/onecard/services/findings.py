"""What a domain proves of its own tables: numbered checks, each a query whose every row is a finding."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from onecard.kernel.codes import Text


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that breaks a check."""

    number: str
    states: Text
    place: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.number} {self.states.zh} / {self.states.en}: {self.place}: {self.expected} ≠ {self.found}"


def run_checks(checks: Mapping[str, tuple[Text, str]], limit: int) -> list[Finding]:
    """Every check; up to `limit` findings of each, none where all is in order. A query takes the limit and gives three texts."""
    found = []
    with connection.cursor() as cursor:
        for number, (states, query) in checks.items():
            cursor.execute(query, [limit])
            found += [Finding(number, states, *row) for row in cursor.fetchall()]
    return found
