"""The token behind the PKCS#11 keeper: which module and token, where the PIN comes from, what its objects look like.

    ONECARD_PKCS11_MODULE     path of the module (libsofthsm2.so, the maker's library)
    ONECARD_PKCS11_TOKEN      label of the token
    PIN                       systemd credential `onecard-pkcs11-pin`, else the file named by ONECARD_PKCS11_PIN_FILE

`python-pkcs11` is imported here only, and only when a token is used (`pip install onecard[hsm]`).
"""

import ctypes
import os
from pathlib import Path
from typing import Any

from onecard.services.keys.errors import VaultLocked

MODULE_VARIABLE = "ONECARD_PKCS11_MODULE"
TOKEN_VARIABLE = "ONECARD_PKCS11_TOKEN"  # noqa: S105 - the name of a variable
PIN_FILE_VARIABLE = "ONECARD_PKCS11_PIN_FILE"
PIN_CREDENTIAL = "onecard-pkcs11-pin"


def load() -> Any:
    """The Python module. Raises VaultLocked where it is not installed."""
    try:
        import pkcs11
    except ImportError:
        raise VaultLocked(
            "未安装 python-pkcs11：pip install onecard[hsm]", "python-pkcs11 is not installed: pip install onecard[hsm]"
        ) from None
    return pkcs11


def open_session(label: str | None = None) -> tuple[Any, str]:
    """A read-write session with the configured token (or the one of a vault) and its label. Raises VaultLocked."""
    pkcs11 = load()
    module, wanted = os.environ.get(MODULE_VARIABLE), label or os.environ.get(TOKEN_VARIABLE)
    if not module or not wanted:
        raise VaultLocked(
            f"须设置 {MODULE_VARIABLE} 与 {TOKEN_VARIABLE}", f"{MODULE_VARIABLE} and {TOKEN_VARIABLE} have to be set"
        )
    pin = _pin()
    reason = ""
    try:
        token = pkcs11.lib(module).get_token(token_label=wanted)
        try:
            return token.open(rw=True, user_pin=pin), wanted
        except pkcs11.exceptions.UserAlreadyLoggedIn:  # another vault of this process
            return token.open(rw=True), wanted
    except (pkcs11.exceptions.PKCS11Error, RuntimeError, OSError) as error:
        reason = type(error).__name__  # its frames hold the PIN
    raise VaultLocked(f"打不开 PKCS#11 令牌 {wanted}：{reason}", f"cannot open the PKCS#11 token {wanted}: {reason}")


def _pin() -> str:
    folder, named = os.environ.get("CREDENTIALS_DIRECTORY"), os.environ.get(PIN_FILE_VARIABLE)
    places = [Path(folder) / PIN_CREDENTIAL] if folder else []
    places += [Path(named)] if named else []
    for place in places:
        if place.exists():
            return place.read_text().strip()
    raise VaultLocked(
        f"没有令牌 PIN：请提供 systemd 凭据 {PIN_CREDENTIAL}，或以 {PIN_FILE_VARIABLE} 指明文件",
        f"no PIN of the token: give the systemd credential {PIN_CREDENTIAL}, or name a file by {PIN_FILE_VARIABLE}",
    )


def key_template(*, exportable: bool, stored: bool) -> dict[Any, Any]:
    """A key that ciphers and derives inside its token; only one made exportable can be wrapped out of it."""
    attribute = load().Attribute
    return {
        attribute.TOKEN: stored,
        attribute.PRIVATE: True,
        attribute.SENSITIVE: True,
        attribute.EXTRACTABLE: exportable,
        attribute.ENCRYPT: True,
        attribute.DECRYPT: False,
        attribute.DERIVE: True,
        attribute.WRAP: False,
        attribute.UNWRAP: False,
        attribute.SIGN: False,
        attribute.VERIFY: False,
    }


class _StringData(ctypes.Structure):
    """CK_KEY_DERIVATION_STRING_DATA."""

    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_ulong))


def derive_below(parent: Any, block: bytes, *, exportable: bool) -> Any:
    """The key E(parent, block) as an object of the session (CKM_DES3_ECB_ENCRYPT_DATA): it never is outside of the token."""
    pkcs11 = load()
    held = ctypes.create_string_buffer(block, len(block))
    # python-pkcs11 knows this parameter for AES only and passes the bytes of any other on as they are.
    parameter = bytes(_StringData(ctypes.addressof(held), len(block)))
    template = key_template(exportable=exportable, stored=False)
    template[pkcs11.Attribute.VALUE_LEN] = pkcs11.constants.DEFAULT  # leaves it out: a DES key has one length only
    mechanism = pkcs11.Mechanism.DES3_ECB_ENCRYPT_DATA
    return parent.derive_key(
        pkcs11.KeyType.DES2, 8 * len(block), store=False, mechanism=mechanism, mechanism_param=parameter, template=template
    )
