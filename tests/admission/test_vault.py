"""The authority's key and the terminals' master secret behind the vault: sealed when there is one, a file that says so before."""

import stat

import pytest
from django.db import transaction

from onecard.datacenter.home import Home
from onecard.kernel.errors import Unavailable
from onecard.services.devices import api
from onecard.services.devices.admit.kept import Place
from onecard.services.devices.ca import CertificateAuthority
from onecard.services.devices.models import SealedSecret
from onecard.services.keys import api as keys


def lock(home: Home) -> None:
    """As after a restart without the passphrase."""
    keys.close_vault()
    (home.secrets_dir / "demo-vault-passphrase").rename(home.path / "taken-away")


def test_without_a_vault_the_key_is_a_file_and_that_is_said(home: Home) -> None:
    assert api.standing().authority is Place.NOWHERE
    api.authority()
    api.terminal_master_key(1)
    found = api.standing()
    assert (found.authority, found.terminals, found.is_sealed) == (Place.FILE, Place.FILE, False)
    assert found.authority_file == home.tls_dir / "ca.key"
    for file in (found.authority_file, found.terminals_file):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not SealedSecret.objects.exists()


def test_an_existing_home_moves_behind_the_vault_at_the_next_use_and_stays_the_same(home: Home, make_vault) -> None:
    before, terminal = api.authority().pem, api.terminal_master_key(7)
    key = (home.tls_dir / "ca.key").read_bytes()
    make_vault()
    assert api.authority().pem == before
    assert api.terminal_master_key(7) == terminal
    assert api.standing().is_sealed
    assert not (home.tls_dir / "ca.key").exists() and not (home.secrets_dir / "terminal-master").exists()
    assert (home.tls_dir / "ca.pem").read_bytes() == before
    secret = key.split(b"\n")[1]
    assert all(secret not in bytes(row.sealed) for row in SealedSecret.objects.all())
    assert api.authority().pem == before and api.terminal_master_key(7) == terminal


def test_the_worker_seals_what_is_still_in_files_once_the_vault_is_open(home: Home, make_vault) -> None:
    before, terminal = api.authority().pem, api.terminal_master_key(7)
    assert api.seal_secrets() is False
    make_vault()
    keys.close_vault()
    passphrase = home.secrets_dir / "demo-vault-passphrase"
    passphrase.rename(home.path / "taken-away")
    assert api.seal_secrets() is False
    (home.path / "taken-away").rename(passphrase)
    assert api.seal_secrets() is True
    assert (api.authority().pem, api.terminal_master_key(7)) == (before, terminal)


def test_a_home_that_read_the_file_of_a_home_before_this_version_keeps_its_terminals_keys(home: Home) -> None:
    home.secret("terminal-master")
    from cryptography.hazmat.primitives import hashes  # as the version before derived it
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    from onecard.protocol.keys import with_odd_parity

    info = b"onecard terminal master key v1" + (9).to_bytes(8, "big")
    text = home.secret("terminal-master").encode()
    assert api.terminal_master_key(9) == with_odd_parity(HKDF(hashes.SHA256(), 16, salt=None, info=info).derive(text))


def test_with_a_vault_from_the_start_no_key_ever_lies_in_a_file(home: Home, make_vault) -> None:
    make_vault()
    api.ensure_gateway_files()
    api.terminal_master_key(1)
    assert sorted(file.name for file in home.tls_dir.iterdir()) == ["ca.pem", "gateway.key", "gateway.pem"]
    assert [file.name for file in home.secrets_dir.iterdir()] == ["demo-vault-passphrase"]
    assert api.standing().is_sealed


def test_a_locked_vault_gives_no_authority_but_what_is_valid_goes_on(home: Home, make_vault) -> None:
    make_vault()
    files = api.ensure_gateway_files()
    before = files.certificate.read_bytes()
    lock(home)
    with pytest.raises(keys.VaultLocked):
        api.authority()
    with pytest.raises(keys.VaultLocked):
        api.terminal_master_key(1)
    assert api.ensure_gateway_files().certificate.read_bytes() == before
    with pytest.raises(keys.VaultLocked):
        api.ensure_gateway_files(hosts=["new.example"])


def test_a_file_goes_on_serving_while_the_vault_is_locked_and_nothing_new_is_made_outside(home: Home, make_vault) -> None:
    before = api.authority().pem
    make_vault()
    lock(home)
    assert api.authority().pem == before and api.standing().authority is Place.FILE
    with pytest.raises(keys.VaultLocked):
        api.terminal_master_key(1)
    assert api.standing().terminals is Place.NOWHERE


def test_a_rollback_leaves_the_key_where_it_was(home: Home, make_vault) -> None:
    before = api.authority().pem
    make_vault()
    with pytest.raises(RuntimeError), transaction.atomic():
        assert api.authority().pem == before
        raise RuntimeError
    assert api.standing().authority is Place.FILE
    assert api.authority().pem == before and api.standing().authority is Place.VAULT


def test_many_processes_that_seal_at_once_agree(home: Home, make_vault, at_once) -> None:
    before = api.authority().pem
    make_vault()
    assert set(at_once(lambda _: api.authority().pem, 6)) == {before}
    assert api.standing().is_sealed


def test_the_vaults_authority_is_used_where_a_file_says_otherwise(home: Home, make_vault, caplog) -> None:
    make_vault()
    sealed = api.authority().pem
    CertificateAuthority.load_or_create(home.tls_dir)
    assert api.authority().pem == sealed == (home.tls_dir / "ca.pem").read_bytes()
    assert "is not what the vault has" in caplog.text


def test_what_was_changed_or_sealed_by_another_vault_is_refused_by_name(home: Home, make_vault) -> None:
    make_vault()
    api.authority()
    row = SealedSecret.objects.get()
    row.sealed = bytes(row.sealed)[:-1] + bytes([bytes(row.sealed)[-1] ^ 1])
    row.save()
    with pytest.raises(Unavailable, match="platform-ca was not sealed by this key vault"):
        api.authority()


def test_every_use_of_the_authority_is_in_the_log_of_keys(home: Home, make_vault) -> None:
    make_vault()
    api.authority()
    api.authority()
    assert [use.subject for use in keys.usages() if use.operation == "secret"] == ["seal platform-ca"] * 2
