"""Sign-on of ISO 8583 terminals: working keys under the terminal's master key, and batch numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.errors import NotFound
from onecard.protocol.keys import (
    WorkingKeys,
    build_de62,
    check_value,
    parse_de62,
    unwrap_key,
    with_odd_parity,
    wrap_key,
)
from onecard.services.devices import api as devices
from onecard.services.devices.api import NewTerminal
from onecard.services.devices.models import TerminalBatch
from onecard.services.devices.signon import MAX_BATCH_NO, derive_master_key
from onecard.services.operators import api
from tests.services.conftest import NOW, Tree

MASTER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.fixture
def terminal(tree: Tree) -> int:
    merchant = api.create_merchant("食堂", unit_id=tree.unit).pk
    return devices.create_terminals([NewTerminal(merchant, driver="iso8583")])[0]


def test_check_values_are_the_published_ones() -> None:
    assert check_value(bytes.fromhex("0123456789ABCDEF")).hex() == "d5d44ff7"
    assert check_value(MASTER).hex() == "08d7b4fb"


@given(st.binary(min_size=40, max_size=40), st.binary(min_size=16, max_size=16))
def test_de62_is_sixty_bytes_that_only_its_master_key_opens(clear: bytes, other: bytes) -> None:
    keys = WorkingKeys(clear[:16], clear[16:24], clear[24:])
    de62 = build_de62(MASTER, keys)
    assert len(de62) == 60 and de62[28:36] == bytes(8)
    assert parse_de62(MASTER, de62) == keys
    if with_odd_parity(other) != with_odd_parity(MASTER):
        with pytest.raises(ValueError):
            parse_de62(other, de62)


@pytest.mark.parametrize("position", [0, 16, 20, 28, 36, 40, 56, 59])
def test_a_changed_byte_of_de62_is_noticed(position: int) -> None:
    de62 = bytearray(build_de62(MASTER, WorkingKeys(b"p" * 16, b"m" * 8, b"t" * 16)))
    de62[position] ^= 0x80
    with pytest.raises(ValueError):
        parse_de62(MASTER, bytes(de62))
    with pytest.raises(ValueError):
        parse_de62(MASTER, bytes(de62[:-1]))


@given(st.binary(min_size=8, max_size=24))
def test_odd_parity_touches_only_the_last_bits(key: bytes) -> None:
    odd = with_odd_parity(key)
    assert all(byte.bit_count() % 2 == 1 for byte in odd)
    assert [byte >> 1 for byte in odd] == [byte >> 1 for byte in key]


def test_wrapping_is_undone_by_unwrapping_and_keys_do_not_show_in_a_repr() -> None:
    assert unwrap_key(MASTER, wrap_key(MASTER, b"12345678")) == b"12345678"
    assert "1234" not in repr(WorkingKeys(b"1234" * 4, b"1234" * 2, b"1234" * 4))


def test_each_terminal_has_a_master_key_of_its_own() -> None:
    keys = {derive_master_key(b"secret", terminal) for terminal in range(1, 50)}
    assert len(keys) == 49 and derive_master_key(b"secret", 1) in keys
    assert derive_master_key(b"other", 1) not in keys


def test_a_sign_on_gives_new_keys_and_the_next_batch(terminal: int, clock) -> None:
    assert devices.current_batch(terminal) == 0
    first, second = devices.sign_on(terminal, clock=clock), devices.sign_on(terminal, clock=clock)
    opened = parse_de62(devices.terminal_master_key(terminal), first.de62)
    assert opened.mac_key == first.mac_key != second.mac_key
    assert (first.batch_no, second.batch_no, devices.current_batch(terminal)) == (1, 2, 2)
    assert first.mac_key.hex() not in repr(first)
    with pytest.raises(NotFound):
        devices.sign_on(4711, clock=clock)


def test_batch_numbers_begin_again_after_the_last(terminal: int, clock) -> None:
    TerminalBatch.objects.create(terminal_id=terminal, batch_no=1, opened_at=NOW)
    TerminalBatch.objects.create(terminal_id=terminal, batch_no=MAX_BATCH_NO, opened_at=NOW)
    assert devices.sign_on(terminal, clock=clock).batch_no == 1
    assert devices.sign_on(terminal, clock=clock).batch_no == 2


def test_sign_ons_at_once_each_get_a_batch_of_their_own(terminal: int, at_once, clock) -> None:
    results = at_once(lambda _: devices.sign_on(terminal, clock=clock).batch_no, 8)
    assert sorted(results) == list(range(1, 9))
