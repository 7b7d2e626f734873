"""With the platform's own vault: the keys on the card are the keys the vault derives, and every use is in its log."""

from collections.abc import Callable, Iterator

import pytest

from onecard.datacenter.home import Home
from onecard.services.issuing.engine import Outcome
from onecard.services.keys import api as keys
from onecard.services.keys.api import KdfParameters, KeyAlgorithm
from onecard.terminal.card.virtual import VirtualCard
from tests.issuing.conftest import City, make_city
from tests.support.postgres import TestDatabase

FAST = KdfParameters(time_cost=1, memory_kib=8 * 1024, lanes=1)


@pytest.fixture
def home(new_home: Callable[[], Home], monkeypatch: pytest.MonkeyPatch) -> Home:
    made = new_home()
    made.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(made.path))
    return made


@pytest.fixture
def city(django_database: TestDatabase, home: Home) -> Iterator[City]:
    keys.init_demo(home, kdf=FAST)
    yield make_city(django_database, keys.open_vault())  # type: ignore[arg-type]
    keys.close_vault()


def test_a_card_is_made_with_the_platforms_own_keys(city: City, home: Home) -> None:
    batch = city.batch(2)
    for _ in range(2):
        card = VirtualCard.in_memory(transport_key=bytes(keys.demo_maker_key(home, KeyAlgorithm.DES3)))
        report = city.touch(card, batch)
        assert report.result is not None, report.en
        assert report.result.outcome is Outcome.DONE, report.en
        assert report.figures is not None
    subject = f"card {report.result.card_no}"
    uses = [usage for usage in keys.usages() if usage.subject == subject]
    assert {"card.load_key", "card.authenticate", "card.mac", "load.mac1"} <= {usage.operation for usage in uses}
    assert keys.verify_usage_chain().is_whole
    city.audit()
