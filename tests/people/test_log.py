"""What PostgreSQL writes down of a refused row: that there was one, never whose."""

import os
import uuid

import pytest
from django.db import connection

from onecard.kernel.errors import OneCardError
from onecard.services.people import api as people
from tests.people.conftest import ACTOR
from tests.services.conftest import Tree
from tests.support.postgres import TestServer


def _log(postgres: TestServer) -> str:
    return "".join(file.read_text(errors="replace") for file in (postgres.home.log_dir / "postgres").glob("postgresql-*.log"))


def test_a_refused_holder_leaves_nothing_of_himself_in_the_log(tree: Tree, postgres: TestServer) -> None:
    if "ONECARD_TEST_DATABASE" in os.environ:
        pytest.skip("the log of a server that is not ours is not ours to read (SECURITY.md says what to set)")
    name, phone = f"王{uuid.uuid4().hex}", str(uuid.uuid4().int)[:15]
    with pytest.raises(OneCardError):
        people.create_holder(tree.unified, people.NewHolder(name=name, unit_id=tree.own_unit, phone=phone), actor=ACTOR)
    mark = uuid.uuid4().hex[:20]
    with connection.cursor() as cursor:  # written after the refusal, so that the log is known to have come so far
        cursor.execute("SELECT set_config('application_name', %s, false)", [mark])
        cursor.execute(f"DO $$ BEGIN RAISE LOG '{mark}'; END $$")
    said = _log(postgres)
    assert mark in said and "violates" in said, "the refusal itself is written down"
    assert name not in said and phone not in said
