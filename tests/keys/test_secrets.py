"""No key in the clear: not in the database, the home, logs, tracebacks or reprs; and only the passphrase opens the vault."""

import base64
import logging
import os
import pickle
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from onecard.datacenter.home import Home
from onecard.kernel.errors import Forbidden, InvalidInput, OneCardError, RuleViolated
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import area_factor, card_factor, diversify_path
from onecard.protocol.purse.proofs import Load
from onecard.services.actors import Actor
from onecard.services.keys import api
from onecard.services.keys.api import CardRef, KeyBytes, KeyUse
from onecard.services.keys.keepers.envelope import KdfParameters, Wrapped, unwrap_data_key
from onecard.services.keys.keepers.software import SoftwareKeeper
from onecard.services.keys.models import VaultHeader
from tests.keys.conftest import ADMIN, FAST
from tests.keys.support import CARD, MOMENT, OPERATOR, batch, bring_in, purchase
from tests.support.postgres import TestDatabase

PASSPHRASE = "correct horse battery staple"


def _forms(key: bytes) -> list[bytes]:
    """How bytes look in files, dumps and texts; base64 in each of its three alignments, without the ends."""
    aligned = [base64.b64encode(b"\0" * shift + key)[4:-4] for shift in range(3)]
    return [key, key.hex().encode(), key.hex().upper().encode(), repr(key)[2:-1].encode(), *aligned]


def _dump(database: TestDatabase) -> bytes:
    """Every table of every schema of ours, as COPY gives it in text and in binary form."""
    found: list[bytes] = []
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        tables = admin.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'ledger')"
        ).fetchall()
        assert ("public.keys_key",) in tables
        for (table,) in tables:
            for how in ("text", "binary"):
                with admin.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT {how})".encode()) as copy:
                    found.extend(bytes(piece) for piece in copy)
    return b"\n".join(found)


def _files(home: Home) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(home.path.rglob("*")) if path.is_file())


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Everything that any logger says, down to DEBUG, and statements with their parameters."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    root, statements = logging.getLogger(), logging.getLogger("django.db.backends")
    before = (root.level, statements.level, connection.force_debug_cursor)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    statements.setLevel(logging.DEBUG)
    connection.force_debug_cursor = True
    yield stream
    root.removeHandler(handler)
    root.setLevel(before[0])
    statements.setLevel(before[1])
    connection.force_debug_cursor = before[2]


def test_no_key_is_anywhere_in_the_clear(vault: api.Vault, home: Home, database: TestDatabase, log: StringIO) -> None:
    roots = {use: os.urandom(16) for use in (KeyUse.TAC, KeyUse.LOAD, KeyUse.CARD_CONTROL)}
    made = {use: bring_in(vault, use, root) for use, root in roots.items()}
    card, load = CardRef(OPERATOR, CARD), Load(500, 2, 7, 0, 3, MOMENT)
    vault.verify_tacs(batch((CARD, purchase(), 1), version=made[KeyUse.TAC].version))
    vault.load_mac2(card, load, random=bytes(4), version=made[KeyUse.LOAD].version, algorithm=0)
    keys = vault.open_personalisation(card)
    texts = [repr(vault), repr(keys), str(vault.__dict__), str(keys.__dict__), repr(vault.status())]
    command = keys.key_command(b"\x84\xd4\x01\x01", bytes(5), "load", challenge=bytes(4), under="card_control", initial=False)
    vault.sign_pay_code(b"code")
    with pytest.raises(OneCardError):
        vault.verify_tacs(batch((CARD, None, 1), version=made[KeyUse.TAC].version))  # type: ignore[arg-type]
    logging.getLogger("test").exception("with %s and %r of %s", vault, vault.keeper, vault.keeper.__dict__)
    path = (area_factor(OPERATOR), card_factor(CARD))
    secrets = list(roots.values()) + [
        diversify_path(Algorithm.DES3, root, path[:level]) for root in roots.values() for level in (1, 2)
    ]
    assert isinstance(vault.keeper, SoftwareKeeper)
    secrets.append(bytes(vault.keeper._root()))
    said = log.getvalue().encode()
    assert b"keys_key" in said  # statements are logged
    places = {"log": said, "dump": _dump(database), "home": _files(home), "texts": "".join(texts).encode(), "command": command}
    for name, content in places.items():
        assert not [form for key in secrets for form in _forms(key) if form in content], name


def test_the_search_finds_what_is_there() -> None:
    key = os.urandom(16)
    for content in (b"a" + key, key.hex().encode(), base64.b64encode(b"xy" + key + b"z"), repr(key).encode()):
        assert [form for form in _forms(key) if form in content]


def test_key_bytes_hide_or_refuse() -> None:
    raw = b"\x01secret key bytes"
    key = KeyBytes(raw)
    shown = [repr(key), str(key), f"{key}", f"{key!r}", f"{key:>40}", f"{key}", repr([key]), str({"key": key})]
    shown += [
        repr(key[:8]),
        repr(key + key),
        repr(key * 3),
        logging.LogRecord("", 0, "", 0, "%s %r", (key, key), None).getMessage(),
    ]
    assert not [text for text in shown if "secret" in text or raw.hex() in text]
    refusals: list[Callable[[], object]] = [key.hex, key.decode, lambda: pickle.dumps(key)]
    for refuse in refusals:
        with pytest.raises(TypeError):
            refuse()
    assert key == raw


def test_a_wrong_passphrase_says_so_and_nothing_else(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    api.init_vault(PASSPHRASE, actor=ADMIN, kdf=FAST)
    with pytest.raises(api.VaultLocked, match="no passphrase of the key vault"):
        api.open_vault()
    given = tmp_path / "passphrase"
    monkeypatch.setenv("ONECARD_VAULT_PASSPHRASE_FILE", str(given))
    with pytest.raises(api.VaultLocked, match="cannot read the passphrase file"):
        api.open_vault()
    given.write_text("wrong horse battery staple\n")
    with pytest.raises(api.VaultLocked) as caught:
        api.open_vault()
    assert str(caught.value) == "密钥保管库的口令不对 / wrong passphrase of the key vault"
    assert caught.value.__context__ is None
    given.write_text(f"{PASSPHRASE}\n")
    assert api.open_vault().status() == []


def test_the_systemd_credential_comes_first(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    api.init_vault(PASSPHRASE, actor=ADMIN, kdf=FAST)
    (tmp_path / "onecard-vault").write_text(PASSPHRASE)
    (tmp_path / "other").write_text("some other passphrase")
    monkeypatch.setenv("ONECARD_VAULT_PASSPHRASE_FILE", str(tmp_path / "other"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert api.open_vault().status() == []


def test_the_demonstrations_passphrase_opens_a_demonstration_vault_only(home: Home) -> None:
    home.secret("demo-vault-passphrase")
    api.init_vault(PASSPHRASE, actor=ADMIN, kdf=FAST)
    with pytest.raises(api.VaultLocked, match="no passphrase"):
        api.open_vault()


def test_a_new_passphrase_wraps_the_same_data_key_and_touches_no_key(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = tmp_path / "passphrase"
    given.write_text(PASSPHRASE)
    monkeypatch.setenv("ONECARD_VAULT_PASSPHRASE_FILE", str(given))
    api.init_vault(PASSPHRASE, actor=ADMIN, kdf=FAST)
    vault = api.open_vault()
    made = vault.rotate(KeyUse.TAC, actor=ADMIN)
    secret = bytes(vault.secret("test"))
    before = VaultHeader.objects.get()
    with pytest.raises(api.VaultLocked, match="wrong passphrase"):
        api.change_passphrase("a new and long passphrase", old="not the old one", actor=ADMIN, kdf=FAST)
    api.change_passphrase("a new and long passphrase", actor=ADMIN, kdf=FAST)
    after = VaultHeader.objects.get()
    assert bytes(after.salt) != bytes(before.salt)
    assert bytes(after.wrapped) != bytes(before.wrapped)
    api.close_vault()
    with pytest.raises(api.VaultLocked, match="wrong passphrase"):
        api.open_vault()
    given.write_text("a new and long passphrase")
    again = api.open_vault()
    assert bytes(again.secret("test")) == secret
    assert (
        again.get_key(made.key_id).kcv
        == made.kcv
        == again.keeper.check_value(again._current()[0].entries[made.key_id].path).hex().upper()
    )


def test_a_vault_is_made_once_by_whoever_may_and_with_a_real_passphrase(home: Home) -> None:
    with pytest.raises(Forbidden):
        api.init_vault(PASSPHRASE, actor=Actor("somebody"), kdf=FAST)
    with pytest.raises(InvalidInput):
        api.init_vault("short", actor=ADMIN, kdf=FAST)
    with pytest.raises(api.VaultLocked, match="there is no key vault yet"):
        api.open_vault()
    api.init_vault(PASSPHRASE, actor=ADMIN, kdf=FAST)
    with pytest.raises(RuleViolated):
        api.init_vault(PASSPHRASE, actor=ADMIN, kdf=FAST)


@pytest.mark.parametrize("parameters", [KdfParameters(3, 1, 1), KdfParameters(3, 1 << 30, 1), KdfParameters(10**6, 65536, 1)])
def test_parameters_that_somebody_wrote_into_the_database_are_not_obeyed(parameters: KdfParameters) -> None:
    with pytest.raises(api.VaultLocked):
        unwrap_data_key(Wrapped(bytes(16), parameters, bytes(60)), KeyBytes(b"passphrase"), bytes(16))


def test_sealed_bytes_moved_to_another_row_do_not_open(vault: api.Vault, database: TestDatabase) -> None:
    keys = {key.use: key.key_id for key in vault.status() if key.algorithm == 0 and key.use in (KeyUse.TAC, KeyUse.LOAD)}
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "UPDATE keys_key SET blob = (SELECT blob FROM keys_key WHERE id = %s) WHERE id = %s",
            (keys[KeyUse.LOAD], keys[KeyUse.TAC]),
        )
        admin.execute("UPDATE keys_vaultheader SET tree_stamp = tree_stamp + 1")
    with pytest.raises(api.KeeperFault):
        vault.verify_tacs(batch((CARD, purchase(), 1)))
