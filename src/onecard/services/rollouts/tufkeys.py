"""Keys of the repository as python-tuf takes them: off-line ones from files under a passphrase, on-line ones in the vault.

No Django and no database here: signing off line runs on a machine that has neither.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, load_pem_private_key
from securesystemslib.signer import CryptoSigner, Key, SecretsHandler, Signature, Signer, SSlibKey  # type: ignore[attr-defined]

from onecard.kernel.errors import InvalidInput

SignAs = Callable[[str, bytes], tuple[bytes, bytes]]
"""The vault's `sign_as`: purpose, payload → public key, signature."""

ON_LINE = {role: f"rollouts {role}" for role in ("snapshot", "timestamp", "automatic")}
"""The on-line roles, and the purpose their key of the vault has."""


class VaultSigner(Signer):
    """Signs by a key that never leaves the vault."""

    def __init__(self, sign_as: SignAs, purpose: str) -> None:
        self._sign_as = sign_as
        self._purpose = purpose
        self._key = public_key(sign_as(purpose, b"which key is this")[0])

    @property
    def public_key(self) -> Key:
        return self._key

    def sign(self, payload: bytes) -> Signature:
        return Signature(self._key.keyid, self._sign_as(self._purpose, payload)[1].hex())

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None) -> Signer:
        raise NotImplementedError("a key of the vault has no address")


def public_key(raw: bytes) -> SSlibKey:
    """An Ed25519 public key of 32 bytes, under the name that its content gives it."""
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(raw))


def make_key_file(path: Path, passphrase: bytes) -> CryptoSigner:
    """A new off-line key in a file under a passphrase. Raises InvalidInput where there is a file already, or none can be made."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            path.chmod(0o600)
            file.write(pem)
    except OSError as error:
        raise InvalidInput(f"不能写入 {path}：{error.strerror}", f"cannot write {path}: {error.strerror}") from error
    return CryptoSigner(key)


def read_key_file(path: Path, passphrase: bytes) -> CryptoSigner:
    """The key of a file. Raises InvalidInput: not there, another passphrase, another kind of key."""
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase)
    except OSError as error:
        raise InvalidInput(
            f"读不到密钥文件 {path}：{error.strerror}", f"cannot read the key file {path}: {error.strerror}"
        ) from error
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{path}：不是密钥文件，或口令不对", f"{path}: not a key file, or not its passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInput(f"{path}：不是 Ed25519 密钥", f"{path}: not an Ed25519 key")
    return CryptoSigner(key)


def make_key_files(folder: Path, role: str, count: int, passphrase: bytes) -> list[CryptoSigner]:
    """`role`-1.pem … in a folder; none is made over another."""
    return [make_key_file(folder / f"{role}-{number}.pem", passphrase) for number in range(1, count + 1)]


def online_signers(sign_as: SignAs) -> dict[str, Signer]:
    """The on-line roles' signers."""
    return {role: VaultSigner(sign_as, purpose) for role, purpose in ON_LINE.items()}


def key_ids(signers: Sequence[Signer]) -> list[str]:
    """Their keys' names."""
    return [signer.public_key.keyid for signer in signers]
