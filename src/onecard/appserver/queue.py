"""The bounded queue of one lane, and the rule by which a batch is taken from it. No I/O.

A batch holds at most one row of a card and one of a (terminal, sequence); a second one waits for the next batch. So what one card
does is posted in the order in which it came. (The posting function would take them in turns itself, at the price of a round each;
it still does so where two cards of one account meet.)
"""

from collections import deque
from collections.abc import Sequence
from itertools import islice
from operator import itemgetter

from onecard.appserver.calls import CALL, CARD, SEQ, TERMINAL, Row

_card_of = itemgetter(CARD)
_key_of = itemgetter(TERMINAL, SEQ)
_SCAN_FACTOR = 4


class LaneQueue:
    """Rows that wait for their lane, at most `bound` of them."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._rows: deque[Row] = deque()

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, rows: list[Row]) -> Sequence[Row]:
        """Takes rows in as far as there is room and returns those for which there is none."""
        room = self._bound - len(self._rows)
        if room >= len(rows):
            self._rows.extend(rows)
            return ()
        room = max(room, 0)
        self._rows.extend(rows[:room])
        return rows[room:]

    def oldest_ns(self) -> int | None:
        """When the call of the oldest row arrived, on the monotonic clock."""
        return self._rows[0][CALL].arrived_ns if self._rows else None

    def take(self, most: int) -> list[Row]:
        """The next batch, at most `most` rows, oldest first."""
        rows = self._rows
        head = list(islice(rows, most))
        if self._is_distinct(head):
            if len(head) == len(rows):
                rows.clear()
            else:
                for _ in head:
                    rows.popleft()
            return head
        return self._take_distinct(most)

    def take_older_than(self, arrived_ns: int) -> list[Row]:
        """Takes out the rows at the head whose call arrived before a moment: they have waited too long."""
        rows, taken = self._rows, []
        while rows and rows[0][CALL].arrived_ns < arrived_ns:
            taken.append(rows.popleft())
        return taken

    def _is_distinct(self, head: Sequence[Row]) -> bool:
        return len(set(map(_card_of, head))) == len(head) and len(set(map(_key_of, head))) == len(head)

    def _take_distinct(self, most: int) -> list[Row]:
        """The slow way, for a queue in which a card or a key stands twice near the head."""
        rows = self._rows
        taken: list[Row] = []
        left: list[Row] = []
        seen: set[int | tuple[int, int]] = set()
        for _ in range(min(len(rows), most * _SCAN_FACTOR)):
            row = rows.popleft()
            card = row[CARD]
            key = (row[TERMINAL], row[SEQ])
            # A row left behind also blocks what follows for its card and its key: overtaking would change the order.
            if card in seen or key in seen:
                left.append(row)
            else:
                taken.append(row)
            seen.add(card)
            seen.add(key)
            if len(taken) == most:
                break
        rows.extendleft(reversed(left))
        return taken
