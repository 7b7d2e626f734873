"""Document numbers: kept only as a keyed hash, so that equal ones are found and none can be read from the database."""

import hashlib
import hmac

from onecard.datacenter.home import Home

_SECRET = "document-hash"  # noqa: S105 - the name of the secret, not the secret


class DocumentHasher:
    """Hashes document numbers with a key that stays outside the database."""

    def __init__(self, key: str) -> None:
        self._hmac = hmac.new(key.encode(), digestmod=hashlib.sha256)

    @classmethod
    def of_home(cls) -> "DocumentHasher":
        """With the key of this installation, made at its first use."""
        return cls(Home.from_environment().secret(_SECRET))

    def hash(self, document_type: str, number: str) -> bytes:
        """32 bytes, equal for numbers that differ only in spaces and case."""
        state = self._hmac.copy()
        state.update(f"{document_type}:{normalize(number)}".encode())
        return state.digest()


def normalize(number: str) -> str:
    """A document number without spaces and in capitals."""
    return "".join(number.split()).upper()
