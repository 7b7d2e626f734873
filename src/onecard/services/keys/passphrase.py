"""Where the vault's passphrase comes from: a systemd credential, a file the environment names, or the demonstration's own file.

It is never in the database, never an argument of a command and never in the environment itself, which every child inherits.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from onecard.datacenter.home import Home
from onecard.kernel.errors import InvalidInput
from onecard.services.keys.errors import VaultLocked
from onecard.services.keys.keepers.secret import KeyBytes

CREDENTIAL = "onecard-vault"
FILE_VARIABLE = "ONECARD_VAULT_PASSPHRASE_FILE"
DEMO_SECRET = "demo-vault-passphrase"  # noqa: S105 - the name of the secret, not the secret
_SHORTEST = 12


@dataclass(frozen=True, slots=True)
class Passphrase:
    """A passphrase and where it was found."""

    value: KeyBytes = field(repr=False)
    source: str


def find_passphrase(home: Home, *, demonstration: bool) -> Passphrase:
    """The first there is of the three sources; the third one for a demonstration vault only. Raises VaultLocked."""
    for path in _named_files():
        return Passphrase(_read(path), str(path))
    demo = home.secrets_dir / DEMO_SECRET
    if demonstration and demo.exists():
        return Passphrase(_read(demo), str(demo))
    raise VaultLocked(
        f"没有密钥保管库的口令：请提供 systemd 凭据 {CREDENTIAL}，或以 {FILE_VARIABLE} 指明口令文件",
        f"no passphrase of the key vault: give the systemd credential {CREDENTIAL}, or name a file by {FILE_VARIABLE}",
    )


def demo_passphrase(home: Home) -> Passphrase:
    """The demonstration's passphrase, random, made at its first use."""
    home.secret(DEMO_SECRET)
    path = home.secrets_dir / DEMO_SECRET
    return Passphrase(_read(path), str(path))


def parse_passphrase(text: str | bytes) -> KeyBytes:
    """A passphrase for a new vault. Raises InvalidInput under 12 characters."""
    value = text.encode() if isinstance(text, str) else bytes(text)
    if len(value.decode(errors="replace").strip()) < _SHORTEST:
        raise InvalidInput(f"口令至少 {_SHORTEST} 个字符", f"a passphrase has at least {_SHORTEST} characters")
    return KeyBytes(value.strip())


def _named_files() -> list[Path]:
    found = []
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and (Path(folder) / CREDENTIAL).exists():
        found.append(Path(folder) / CREDENTIAL)
    if named := os.environ.get(FILE_VARIABLE):
        found.append(Path(named))
    return found


def _read(path: Path) -> KeyBytes:
    try:
        value = KeyBytes(path.read_bytes().strip())
    except OSError as error:
        reason = error.strerror
        value = KeyBytes()
    else:
        reason = "empty"
    if not value:
        raise VaultLocked(f"读不到口令文件 {path}：{reason}", f"cannot read the passphrase file {path}: {reason}")
    return value
