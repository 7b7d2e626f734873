"""Making a vault, opening it once a process, and changing its passphrase."""

import threading
from uuid import UUID, uuid4

from django.db import transaction

from onecard.datacenter.home import Home
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import RuleViolated
from onecard.services.actors import Actor
from onecard.services.keys.errors import VaultLocked
from onecard.services.keys.keepers.base import Keeper
from onecard.services.keys.keepers.envelope import KdfParameters, Wrapped, new_data_key, unwrap_data_key, wrap_data_key
from onecard.services.keys.keepers.secret import KeyBytes
from onecard.services.keys.keepers.software import SoftwareKeeper
from onecard.services.keys.models import VaultHeader
from onecard.services.keys.passphrase import find_passphrase, parse_passphrase
from onecard.services.keys.store import Store, conninfo
from onecard.services.keys.vault import Vault

_HEADER = "SELECT uid, keeper, demonstration, salt, time_cost, memory_kib, lanes, wrapped, token FROM keys_vaultheader"
_lock = threading.Lock()
_opened: tuple[str, Vault] | None = None


def open_vault(*, clock: Clock | None = None) -> Vault:
    """The process's vault on the database Django is on, opened at its first use. With a clock: one of the caller's own, not kept.

    Raises VaultLocked: no vault yet, no passphrase or a wrong one, no token.
    """
    global _opened
    dsn = conninfo()
    if clock is not None:
        return _open(dsn, clock)
    with _lock:
        if _opened is not None and _opened[0] != dsn:
            _opened[1].close()
            _opened = None
        if _opened is None:
            _opened = (dsn, _open(dsn, SystemClock()))
        return _opened[1]


def has_vault() -> bool:
    """Whether a vault has been made in this database, open or not."""
    return VaultHeader.objects.exists()


def close_vault() -> None:
    """The next `open_vault` asks for the passphrase again."""
    global _opened
    with _lock:
        if _opened is not None:
            _opened[1].close()
        _opened = None


def init_vault(
    passphrase: str | bytes | None, *, actor: Actor, keeper: str = "software", demonstration: bool = False,
    kdf: KdfParameters | None = None,
) -> None:  # fmt: skip
    """Make this database's vault, without keys. A PKCS#11 vault takes no passphrase: its token has a PIN.

    Raises RuleViolated (K4) where there is one, InvalidInput for a short passphrase, VaultLocked without a token.
    """
    actor.require("keys.initialise")
    with transaction.atomic():
        uid = uuid4()
        header = VaultHeader(uid=uid, keeper=keeper, demonstration=demonstration, created_at=SystemClock().now())
        if keeper == "pkcs11":
            from onecard.services.keys.keepers.pkcs11 import Pkcs11Keeper

            header.token = Pkcs11Keeper.prepare(uid.bytes)
        else:
            _put_wrapped(
                header, wrap_data_key(new_data_key(), parse_passphrase(passphrase or b""), uid.bytes, kdf or KdfParameters())
            )
        _refuse_second()
        header.save(force_insert=True)


def change_passphrase(
    new: str | bytes, *, actor: Actor, old: str | bytes | None = None, kdf: KdfParameters | None = None
) -> None:
    """Wrap the data key under another passphrase; no key is touched. `old` is found like for opening where it is not given.

    Put the new one where the old one was found before a process starts again. Raises VaultLocked (wrong old one), InvalidInput.
    """
    actor.require("keys.passphrase")
    value = parse_passphrase(new)
    with transaction.atomic():
        header = VaultHeader.objects.select_for_update().filter(pk=1).first()
        if header is None:
            raise _no_vault()
        if header.keeper != "software":
            raise RuleViolated(
                "K4：PKCS#11 保管库没有口令，请更换令牌 PIN",
                "K4: a PKCS#11 vault has no passphrase: change the token's PIN",
                rule="K4",
            )
        found = KeyBytes(old.encode() if isinstance(old, str) else old) if old is not None else None
        if found is None:
            found = find_passphrase(Home.from_environment(), demonstration=header.demonstration).value
        data_key = unwrap_data_key(_wrapped_of(header), KeyBytes(found.strip()), header.uid.bytes)
        _put_wrapped(header, wrap_data_key(data_key, value, header.uid.bytes, kdf or KdfParameters()))
        header.rewrapped_at = SystemClock().now()
        header.save()


def _open(dsn: str, clock: Clock) -> Vault:
    store = Store(dsn)
    try:
        rows = store.rows(_HEADER)
        if not rows:
            raise _no_vault()
        return Vault(_keeper(*rows[0]), store, clock=clock)
    except BaseException:
        store.close()
        raise


def _keeper(
    uid: UUID,
    keeper: str,
    demonstration: bool,
    salt: bytes,
    time_cost: int,
    memory_kib: int,
    lanes: int,
    wrapped: bytes,
    token: str,
) -> Keeper:
    if keeper == "pkcs11":
        from onecard.services.keys.keepers.pkcs11 import Pkcs11Keeper

        return Pkcs11Keeper.open(uid.bytes, token)
    passphrase = find_passphrase(Home.from_environment(), demonstration=demonstration)
    parameters = KdfParameters(time_cost, memory_kib, lanes)
    return SoftwareKeeper(
        unwrap_data_key(Wrapped(bytes(salt), parameters, bytes(wrapped)), passphrase.value, uid.bytes), uid.bytes
    )


def _put_wrapped(header: VaultHeader, wrapped: Wrapped) -> None:
    header.salt, header.wrapped = wrapped.salt, wrapped.blob
    header.time_cost, header.memory_kib, header.lanes = wrapped.kdf.time_cost, wrapped.kdf.memory_kib, wrapped.kdf.lanes


def _wrapped_of(header: VaultHeader) -> Wrapped:
    return Wrapped(bytes(header.salt), KdfParameters(header.time_cost, header.memory_kib, header.lanes), bytes(header.wrapped))


def _refuse_second() -> None:
    if VaultHeader.objects.exists():
        raise RuleViolated("K4：密钥保管库已经建立", "K4: there is a key vault already", rule="K4")


def _no_vault() -> VaultLocked:
    return VaultLocked("尚未建立密钥保管库：请运行 onecard keys init", "there is no key vault yet: run onecard keys init")
