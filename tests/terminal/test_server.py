"""Whom a terminal lets answer: gateways, and the one front-end it was enrolled behind (G1).

The certificates are those the platform's own authority issues.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from onecard.kernel.codes import Result
from onecard.services.devices.ca import FRONT_END_HOSTS, CertificateAuthority, build_request
from onecard.terminal.errors import LineDown, LineRefused, WrongServer
from onecard.terminal.iso8583 import Iso8583Terminal
from onecard.terminal.journal import Journal
from onecard.terminal.native import NativeClient
from onecard.terminal.tls import Backoff, Identity, close_line, open_line
from tests.support.impostor import Impostor, impostor

ROGUE, OTHER = 9, 8
SOON_S = 5.0


@dataclass(frozen=True)
class Platform:
    """An authority and what it issues."""

    folder: Path
    authority: CertificateAuthority

    def device(self, name: str, *hosts: str) -> Identity:
        """A certificate; with hosts a front-end's."""
        key, request = build_request()
        issued = self.authority.issue_client(request, common_name=name, now=datetime.now(UTC), hosts=hosts or None)
        identity = Identity(self.folder / "ca.pem", self.folder / f"{name}.pem", self.folder / f"{name}.key")
        identity.certificate.write_bytes(issued.pem)
        identity.key.write_bytes(key)
        return identity

    def front_end(self, line_id: int, *hosts: str) -> Identity:
        return self.device(f"line-{line_id}", *FRONT_END_HOSTS, *hosts)

    def server(self, name: str, *hosts: str) -> Identity:
        files = self.authority.ensure_server(self.folder, now=datetime.now(UTC), name=name, hosts=hosts)
        return Identity(files.ca, files.certificate, files.key)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path, CertificateAuthority.load_or_create(tmp_path))


def answering(identity: Identity):
    return impostor(identity.ca, identity.certificate, identity.key)


def native(at: Impostor, identity: Identity, **options) -> NativeClient:
    return NativeClient("127.0.0.1", at.port, identity, backoff=Backoff(), **options)


async def reached(at: Impostor, identity: Identity, **options) -> bool:
    """Whether a terminal would speak with him. Raises WrongServer."""
    _, writer = await open_line("127.0.0.1", at.port, identity.context(), front_end=identity.front_end, **options)
    await close_line(writer)
    return True


async def test_a_front_end_that_poses_as_the_gateway_hears_nothing_but_the_handshake(platform: Platform):
    async with answering(platform.front_end(ROGUE)) as rogue:
        client = native(rogue, platform.device("line-1"))
        with pytest.raises(WrongServer, match=r"line-9 answered, not gateway") as refused:
            async with asyncio.timeout(SOON_S):
                await client.connect()
        assert isinstance(refused.value, LineRefused)
        assert "应答者为 line-9" in refused.value.zh
        assert refused.value.result == Result.UNAVAILABLE, "it is not the platform that refuses"
        assert client.refused is refused.value
        assert not rogue.heard


async def test_an_iso8583_terminal_signs_on_to_no_such_front_end(platform: Platform):
    journal = Journal(":memory:")
    async with answering(platform.front_end(ROGUE)) as rogue:
        pos = Iso8583Terminal(
            "127.0.0.1", rogue.port, platform.device("line-1"), terminal_id=1, tid="00000001", mid="0" * 15,
            master_key=bytes(16), journal=journal, answer_s=1.0,
        )  # fmt: skip
        with pytest.raises(WrongServer, match="line-9"):
            await pos.sign_on()
        assert not rogue.heard
    with pytest.raises(LineDown):  # and when he has gone, it is the line that is down again
        await pos.sign_on()
    journal.close()


async def test_a_terminal_speaks_to_its_own_front_end_and_to_gateways_only(platform: Platform):
    behind = replace(platform.device("terminal-71"), front_end=OTHER)
    async with answering(platform.front_end(OTHER)) as own:
        assert await reached(own, behind)
    async with answering(platform.server("gateway")) as gateway:
        assert await reached(gateway, behind)
    async with answering(platform.front_end(ROGUE)) as rogue:
        with pytest.raises(WrongServer, match="line-9 answered, not gateway / line-8"):
            await reached(rogue, behind)
    async with answering(platform.server("app")) as application:
        with pytest.raises(WrongServer, match="app answered"):
            await reached(application, behind)
        assert not application.heard


async def test_a_gateway_with_another_name_is_reached_by_that_name_and_no_front_end_is(platform: Platform):
    line = platform.device("line-1")
    async with answering(platform.server("gw.city", "gw.city")) as gateway:
        assert await reached(gateway, line, server_hostname="gw.city")
        with pytest.raises(WrongServer, match=r"gw\.city answered"):
            await reached(gateway, line)
    async with answering(platform.server("gateway", "gw.city")) as gateway:
        assert await reached(gateway, line, server_hostname="gw.city")
        with pytest.raises(OSError, match="Hostname mismatch"):
            await reached(gateway, line, server_hostname="other.city")
    # A front-end may have asked for any name that is not the platform's own, one of its own form among them.
    async with answering(platform.front_end(ROGUE, "gw.city", f"line-{ROGUE}")) as rogue:
        for name in ("gw.city", f"line-{ROGUE}"):
            with pytest.raises(WrongServer, match="line-9 answered"):
                await reached(rogue, line, server_hostname=name)
        assert not rogue.heard
