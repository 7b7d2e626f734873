"""The platform's certificate authority and the terminals' master secret, behind the key vault (`kept.py`)."""

import contextlib
import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from onecard.datacenter.home import Home
from onecard.kernel.clock import Clock, SystemClock
from onecard.kernel.errors import Unavailable
from onecard.services.devices.admit.kept import Kept, Place
from onecard.services.devices.ca import (
    KEY_FILE,
    OWN_HOSTS,
    CertificateAuthority,
    ServerFiles,
    build_root,
    create_once,
    current_server,
    server_files,
)

log = logging.getLogger(__name__)
_TERMINAL_SECRET = "terminal-master"  # noqa: S105 - the name of the secret, not the secret


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the authority's key and the terminals' master secret are; the path is the file's where it is one."""

    authority: Place
    authority_file: Path
    terminals: Place
    terminals_file: Path

    @property
    def is_sealed(self) -> bool:
        """Whether nothing of it lies in a file."""
        return Place.FILE not in (self.authority, self.terminals)


def authority() -> CertificateAuthority:
    """The certificate authority of this installation, made at its first use. Raises Unavailable while the vault is locked."""
    home = Home.from_environment()
    home.prepare()
    found = CertificateAuthority.from_bundle(_authority_key(home).read())
    found.publish(home.tls_dir)
    return found


def root_certificate() -> x509.Certificate | None:
    """The root as this home has it for readers, without opening its key; None where nothing has been made yet."""
    public = Home.from_environment().tls_dir / "ca.pem"
    return x509.load_pem_x509_certificate(public.read_bytes()) if public.exists() else None


def root_sha256() -> bytes:
    """Of the root certificate, without opening its key where the home has the certificate."""
    root = root_certificate()
    return authority().sha256 if root is None else root.fingerprint(hashes.SHA256())


def terminal_secret() -> bytes:
    """What the master keys of all terminals are derived from. Raises Unavailable while the vault is locked."""
    home = Home.from_environment()
    home.prepare()
    return _terminal_key(home).read().strip()


def standing() -> Standing:
    """For people: where the secrets are now."""
    home = Home.from_environment()
    root, terminals = _authority_key(home), _terminal_key(home)
    return Standing(root.place(), root.file, terminals.place(), terminals.file)


def seal_secrets() -> bool:
    """Move what still lies in files behind the vault, where there is one that is open; whether nothing lies in a file now.

    For a worker's tick: a home from before its vault does not wait for the next device.
    """
    home = Home.from_environment()
    with contextlib.suppress(Unavailable):
        for kept in (_authority_key(home), _terminal_key(home)):
            if kept.place() is Place.FILE:
                kept.read()
    return standing().is_sealed


def ensure_server(name: str, *, hosts: Iterable[str] = (), clock: Clock | None = None) -> ServerFiles:
    """A listener's key and certificate in the home's `tls` folder (`<name>.key`, `<name>.pem`) and the root's `ca.pem`.

    When the vault is locked, what is still valid goes on.
    """
    home = Home.from_environment()
    now = (clock or SystemClock()).now()
    wanted = (*OWN_HOSTS, *hosts)
    files = server_files(home.tls_dir, name)
    try:
        return authority().ensure_server(home.tls_dir, now=now, name=name, hosts=wanted)
    except Unavailable as error:
        if current_server(files, now=now, hosts=wanted) is None:
            raise
        log.warning("the authority is out of reach, %s goes on as it is: %s", files.certificate, error)
        return files


def _authority_key(home: Home) -> Kept:
    return Kept("platform-ca", home.tls_dir / KEY_FILE, lambda: build_root(datetime.now(UTC)), create_once)


def _terminal_key(home: Home) -> Kept:
    made = lambda: secrets.token_urlsafe(48).encode()  # noqa: E731
    return Kept(_TERMINAL_SECRET, home.secrets_dir / _TERMINAL_SECRET, made, create_once)
