"""Signing root and targets off line: adds a person's signature to a file that the platform proposed. No Django, no database."""

from collections.abc import Sequence

from securesystemslib.signer import Signer  # type: ignore[attr-defined]

from onecard.kernel.errors import InvalidInput
from onecard.services.rollouts import tufmetadata


def sign_off_line(content: bytes, signers: Sequence[Signer]) -> bytes:
    """The file with these signatures beside those it has. Raises InvalidInput where it is neither root nor targets."""
    given = tufmetadata.parse(content)
    if given.signed.type not in {"root", "targets"}:
        raise InvalidInput(f"{given.signed.type} 不是脱机签名的文件", f"{given.signed.type} is not signed off line")
    return tufmetadata.signed(given.signed.type, given, signers).content
