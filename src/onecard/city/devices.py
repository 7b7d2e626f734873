"""The simulated devices' own keys and certificates, in the folder `devices` of the home; a real device keeps its own."""

from collections.abc import Sequence
from pathlib import Path

from onecard.datacenter.home import Home, own_folder
from onecard.services.devices import api as devices
from onecard.terminal.tls import Identity


def device_folder(home: Home) -> Path:
    """The folder of simulated devices."""
    folder = home.path / "devices"
    own_folder(folder, 0o700)
    return folder


def identity(home: Home, line_id: int) -> Identity:
    """The files of one line."""
    folder = device_folder(home)
    return Identity(home.tls_dir / "ca.pem", folder / f"line-{line_id}.pem", folder / f"line-{line_id}.key")


def enrol_lines(home: Home, line_ids: Sequence[int]) -> None:
    """Give each line that has no certificate here a key of its own and have the platform sign it."""
    missing = [line_id for line_id in line_ids if not identity(home, line_id).certificate.exists()]
    requests = []
    for line_id in missing:
        key, request = devices.build_request(f"line-{line_id}")
        path = identity(home, line_id).key
        path.touch(mode=0o600)
        path.write_bytes(key)
        requests.append((line_id, request))
    # The certificate is written last: it says that key, certificate and authorised list agree.
    for line_id, certificate in zip(missing, devices.enrol_many(requests), strict=True):
        identity(home, line_id).certificate.write_bytes(certificate)
