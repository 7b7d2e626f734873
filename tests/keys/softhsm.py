"""A SoftHSM of the session's own: a token in a folder that nothing else uses, and the environment that names it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TOKEN = "onecard-test"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)


def require_softhsm() -> str:
    """The module's path; skips where SoftHSM is not installed, fails under `./onecard test --all`."""
    module = next((path for path in _MODULES if Path(path).exists()), None)
    if module is not None and shutil.which("softhsm2-util"):
        return module
    if os.environ.get("ONECARD_TEST_ALL") == "1":
        pytest.fail("SoftHSM is not installed: apt install softhsm2")
    pytest.skip("SoftHSM is not installed (apt install softhsm2)")


@contextmanager
def softhsm(folder: Path) -> Iterator[dict[str, str]]:
    """A fresh token; gives the variables a vault on it needs, and sets the one SoftHSM reads."""
    module = require_softhsm()
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    try:
        command = ["softhsm2-util", "--init-token", "--free", "--label", TOKEN, "--pin", "246813", "--so-pin", "135724"]
        subprocess.run(command, check=True, capture_output=True)
        (folder / "pin").write_text("246813\n")
        yield {
            "ONECARD_PKCS11_MODULE": module,
            "ONECARD_PKCS11_TOKEN": TOKEN,
            "ONECARD_PKCS11_PIN_FILE": str(folder / "pin"),
        }
    finally:
        if before is None:
            del os.environ["SOFTHSM2_CONF"]
        else:
            os.environ["SOFTHSM2_CONF"] = before
