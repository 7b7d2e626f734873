"""Sign-on of ISO 8583 terminals: the terminal's master key, fresh working keys and the next settlement batch."""

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import transaction

from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import NotFound
from onecard.protocol.keys import MASTER_KEY_BYTES, WorkingKeys, build_de62, with_odd_parity
from onecard.services.devices.admit.authority import terminal_secret
from onecard.services.devices.models import Terminal, TerminalBatch

MAX_BATCH_NO = 999_999


@dataclass(frozen=True, slots=True)
class SignOn:
    """What a sign-on gives: `mac_key` clear for the gateway's memory, `de62` for the terminal."""

    mac_key: bytes = field(repr=False)
    de62: bytes
    batch_no: int


def derive_master_key(secret: bytes, terminal_id: int) -> bytes:
    """The 16-byte master key (TMK) of a terminal: HKDF-SHA-256 of the platform's secret, with DES parity."""
    info = b"onecard terminal master key v1" + terminal_id.to_bytes(8, "big")
    return with_odd_parity(HKDF(hashes.SHA256(), MASTER_KEY_BYTES, salt=None, info=info).derive(secret))


def terminal_master_key(terminal_id: int) -> bytes:
    """The master key to load into a terminal when it is installed."""
    return derive_master_key(terminal_secret(), terminal_id)


def sign_on(terminal_id: int, *, clock: Clock | None = None) -> SignOn:
    """Fresh working keys and a new batch number. Raises NotFound."""
    keys = WorkingKeys(*(with_odd_parity(secrets.token_bytes(size)) for size in (16, 8, 16)))
    with transaction.atomic():
        # The terminal's row orders two sign-ons at the same moment: each gets a batch of its own.
        if Terminal.objects.select_for_update(no_key=True).filter(pk=terminal_id).first() is None:
            raise NotFound(f"无此终端：{terminal_id}", f"no such terminal: {terminal_id}")
        batch_no = current_batch(terminal_id) % MAX_BATCH_NO + 1
        # Only after a million sign-ons is there one of the same number, and then it is the oldest.
        TerminalBatch.objects.filter(terminal_id=terminal_id, batch_no=batch_no).delete()
        TerminalBatch.objects.create(terminal_id=terminal_id, batch_no=batch_no, opened_at=(clock or SystemClock()).now())
    return SignOn(keys.mac_key, build_de62(terminal_master_key(terminal_id), keys), batch_no)


def current_batch(terminal_id: int) -> int:
    """The settlement batch a terminal is in, 0 before its first sign-on."""
    newest = TerminalBatch.objects.filter(terminal_id=terminal_id).order_by("-id")
    return newest.values_list("batch_no", flat=True).first() or 0
