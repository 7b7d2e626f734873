"""What the judges of chip records ask of the stock: state and terminal of many modules at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from onecard.services.keys.models.sams import SamState

CHANNEL = "sams"
"""NOTIFY: payload `<number>:<state>:<terminal or 0>`, or `*` when many changed at once."""
_SQL = "SELECT id, state, terminal_id FROM keys_sam WHERE id = ANY (%s)"


@dataclass(frozen=True, slots=True)
class SamStanding:
    """Where a module stands; `terminal_id` is the one it is bound to, None without one."""

    state: SamState
    terminal_id: int | None

    def works_in(self, terminal_id: int) -> bool:
        """Whether records of this module from this terminal are to be believed."""
        return self.state == SamState.BOUND and self.terminal_id == terminal_id


def sam_standing(sam_nos: Iterable[int]) -> dict[int, SamStanding]:
    """The standing of each module that exists; unknown numbers are left out. One query, by primary key."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, [list(set(sam_nos))])
        return {number: SamStanding(_STATES[state], terminal) for number, state, terminal in cursor.fetchall()}


_STATES = {str(state): state for state in SamState}
