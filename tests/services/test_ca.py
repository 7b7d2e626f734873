"""The certificate authority: made once, and its certificates work in a TLS 1.3 handshake with client certificates."""

import socket
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from onecard.kernel.errors import InvalidInput
from onecard.services.devices.ca import CertificateAuthority, build_request

NOW = datetime.now(UTC)


def test_it_is_made_once_also_when_many_start_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "tls"
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: CertificateAuthority.load_or_create(folder).pem, range(8)))
    assert len(set(made)) == 1 and (folder / "ca.pem").read_bytes() == made[0]
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["ca.key", "ca.pem"]
    assert b"PRIVATE" not in made[0]


def test_a_client_and_the_gateway_recognise_each_other(tmp_path: Path) -> None:
    authority = CertificateAuthority.load_or_create(tmp_path)
    files = authority.ensure_server(tmp_path, now=NOW)
    key, csr = build_request("my own name")
    issued = authority.issue_client(csr, common_name="line-7", now=NOW)
    (tmp_path / "line.pem").write_bytes(key + issued.pem)

    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(files.ca)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(files.ca))
    client.load_cert_chain(tmp_path / "line.pem")
    for name in ("localhost", "127.0.0.1", "::1"):
        ours, theirs = socket.socketpair()
        with ThreadPoolExecutor(1) as threads:
            accepted = threads.submit(server.wrap_socket, ours, True)
            with client.wrap_socket(theirs, server_hostname=name) as speaking, accepted.result(10) as listening:
                speaking.sendall(b"hello")
                assert listening.recv(5) == b"hello"
                peer = x509.load_der_x509_certificate(listening.getpeercert(True) or b"")
        assert peer.fingerprint(hashes.SHA256()) == issued.sha256
        assert peer.subject.rfc4514_string() == "CN=line-7"


def test_the_servers_certificate_is_kept_until_it_ends_soon_or_lacks_a_name(tmp_path: Path) -> None:
    authority = CertificateAuthority.load_or_create(tmp_path)
    files = authority.ensure_server(tmp_path, now=NOW)
    first = files.certificate.read_bytes()
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    authority.ensure_server(tmp_path, now=NOW + timedelta(days=700))
    assert files.certificate.read_bytes() == first
    authority.ensure_server(tmp_path, now=NOW, hosts=["gw.example.org", "10.0.0.5"])
    second = files.certificate.read_bytes()
    authority.ensure_server(tmp_path, now=NOW, hosts=["10.0.0.5"])
    assert files.certificate.read_bytes() == second != first
    authority.ensure_server(tmp_path, now=NOW + timedelta(days=800), hosts=["10.0.0.5"])
    assert files.certificate.read_bytes() != second


def test_a_request_that_is_damaged_or_of_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    authority = CertificateAuthority.load_or_create(tmp_path)
    name = x509.Name([])
    _, good = build_request()
    der = bytearray(x509.load_pem_x509_csr(good).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    broken = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    others = [
        builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1()))
    ]
    for wrong in (b"", b"not a request", good[: len(good) // 2], broken, *others):
        with pytest.raises(InvalidInput):
            authority.issue_client(wrong, common_name="line-1", now=NOW)
