"""The consoles' small city, and who signs in to it."""

from tests.consoles.conftest import _reach_the_database, card_city, centre, city, signed_in, staff  # noqa: F401
from tests.httpapi.conftest import program, token  # noqa: F401
