"""The names a front-end may have in its certificate, so that its own terminals can check it."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address

from cryptography import x509

from onecard.datacenter.home import Home
from onecard.kernel.errors import InvalidInput
from onecard.services.devices.admit.settings import admission_settings, is_host, parse_address
from onecard.services.devices.ca import OWN_HOSTS, hosts_of

_MOST = 16


def checked_hosts(hosts: Sequence[str]) -> list[str]:
    """The names, each once. Raises InvalidInput: too many, no name, or one under which the platform itself is known.

    With such a name in its certificate a front-end could stand in for the gateway.
    """
    wanted = list(dict.fromkeys(_spelled(host) for host in hosts if host.strip()))
    if len(wanted) > _MOST:
        raise InvalidInput(f"主机名最多 {_MOST} 个", f"at most {_MOST} host names")
    own = _platform_names()
    for host in wanted:
        if not is_host(host):
            raise InvalidInput(f"不是主机名或地址：{host[:80]}", f"no host name or address: {host[:80]}")
        if host in own:
            raise InvalidInput(f"{host} 是平台自己的名称", f"{host} is a name of the platform itself")
    return [host for host in wanted if host not in OWN_HOSTS]


def _platform_names() -> set[str]:
    """Of the gateways' and application servers' certificates made here, and of the address devices enrol at."""
    names = {_spelled(parse_address(admission_settings().gateway)[0].strip("[]"))}
    folder = Home.from_environment().tls_dir
    for file in folder.glob("*.pem") if folder.exists() else ():
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        try:
            names |= {_spelled(name) for name in hosts_of(certificate)}
        except x509.ExtensionNotFound:
            continue  # the root itself
    return names - set(OWN_HOSTS)


def _spelled(host: str) -> str:
    """A name or address in the one spelling in which it is compared: an IPv6 address has many, and one for each IPv4 address."""
    name = host.strip().lower()
    try:
        address = ip_address(name)
    except ValueError:
        return name
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
