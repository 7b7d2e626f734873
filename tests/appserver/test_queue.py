"""The rule by which a batch is taken from a lane's queue."""

import pytest

from onecard.appserver.calls import CARD, INDEX, PendingCall
from onecard.appserver.queue import LaneQueue
from tests.appserver.rows import row

pytestmark = pytest.mark.asyncio


def _queue(cards: list[int], *, bound: int = 100) -> tuple[LaneQueue, PendingCall]:
    call = PendingCall(len(cards))
    queue = LaneQueue(bound)
    queue.put([row(call, index, card_no=card) for index, card in enumerate(cards)])
    return queue, call


async def test_a_batch_is_the_oldest_rows_up_to_the_limit() -> None:
    queue, _ = _queue([1, 2, 3, 4])
    assert [taken[CARD] for taken in queue.take(3)] == [1, 2, 3]
    assert [taken[CARD] for taken in queue.take(3)] == [4]


async def test_rows_of_one_card_keep_their_order_over_batches() -> None:
    queue, _ = _queue([1, 2, 1, 3, 1, 2])
    batches = [[taken[INDEX] for taken in queue.take(10)] for _ in range(3)]
    assert batches == [[0, 1, 3], [2, 5], [4]]
    assert len(queue) == 0


async def test_a_repeated_key_waits_and_what_follows_for_its_card_waits_behind_it() -> None:
    call = PendingCall(3)
    queue = LaneQueue(10)
    queue.put([row(call, 0, card_no=1, seq=5), row(call, 1, card_no=2, seq=5), row(call, 2, card_no=2, seq=6)])
    assert [taken[INDEX] for taken in queue.take(10)] == [0]
    assert [taken[INDEX] for taken in queue.take(10)] == [1]
    assert [taken[INDEX] for taken in queue.take(10)] == [2]


async def test_rows_over_the_bound_are_handed_back() -> None:
    call = PendingCall(5)
    queue = LaneQueue(3)
    refused = queue.put([row(call, index, card_no=index + 1) for index in range(5)])
    assert [back[INDEX] for back in refused] == [3, 4]
    assert len(queue) == 3
