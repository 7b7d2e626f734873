"""What the vault refuses, and why.

Unavailable
└── VaultLocked             no vault yet, no passphrase, or a wrong one
OneCardError
├── KeeperFault             something broke inside a keeper: where and what kind, never with what
└── KeyNotExportable        this key does not leave its keeper whole
InvalidInput
└── AlgorithmUnsupported    the token of a PKCS#11 keeper does not know the algorithm
NotFound
└── KeyMissing              no key of this use, version and algorithm that is in force
"""

from typing import ClassVar

from onecard.kernel.errors import InvalidInput, NotFound, OneCardError, Unavailable


class VaultLocked(Unavailable):
    """The vault cannot be opened: the message says which of vault, passphrase or module is missing or wrong."""

    code: ClassVar[str] = "KEYS.VAULT_LOCKED"


class KeeperFault(OneCardError):  # noqa: N818 - named for what happened
    """An operation failed inside a keeper. Carries the kind of error and its place only: messages and frames can hold keys."""

    code: ClassVar[str] = "KEYS.KEEPER_FAULT"


class KeyNotExportable(OneCardError):  # noqa: N818 - named for what happened
    """The key is made to stay inside its keeper."""

    code: ClassVar[str] = "KEYS.NOT_EXPORTABLE"


class KeyMissing(NotFound):
    """No key that is in force fits."""

    code: ClassVar[str] = "KEYS.MISSING"


class AlgorithmUnsupported(InvalidInput):
    """The keeper's token does not know this algorithm."""

    code: ClassVar[str] = "KEYS.ALGORITHM_UNSUPPORTED"
