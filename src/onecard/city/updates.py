"""The demonstration city's signed repository (D2): its off-line keys lie beside it, which a real city's never do."""

from pathlib import Path

from onecard.datacenter.home import Home, own_folder
from onecard.services.actors import Actor
from onecard.services.rollouts import api as rollouts

_ACTOR = Actor.system("demo")


def key_folder(home: Home) -> Path:
    """Where the demonstration keeps the off-line keys, and root.json."""
    return home.path / "offline-keys"


def passphrase(home: Home) -> bytes:
    """Of those keys."""
    return home.secret("demo-offline-keys").encode()


def prepare_repository(home: Home) -> None:
    """Have the repository; quick where it is there."""
    if rollouts.has_repository():
        return
    folder = key_folder(home)
    own_folder(folder, 0o700)
    root = rollouts.init_repository(folder, passphrase(home), actor=_ACTOR)
    (folder / "root.json").write_bytes(root)
