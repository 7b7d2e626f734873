"""Sign-on, the gateways' reports, and who may call at all."""

from datetime import UTC, datetime

import grpc
import pytest

from onecard.protocol.keys import parse_de62
from onecard.protocol.proto import app_pb2, app_pb2_grpc
from tests.appserver.conftest import Client, StartApp, in_thread


async def test_a_terminal_that_signs_on_gets_new_keys_and_the_next_batch(client: Client) -> None:
    from onecard.services.devices.api import terminal_master_key

    terminal = client.town.terminal
    first = await client.stub.SignOn(app_pb2.SignOnRequest(terminal_id=terminal))
    second = await client.stub.SignOn(app_pb2.SignOnRequest(terminal_id=terminal))
    assert (first.batch_no, second.batch_no) == (1, 2)
    assert first.mac_key != second.mac_key
    master = await in_thread(terminal_master_key, terminal)
    assert parse_de62(master, second.de62).mac_key == second.mac_key


async def test_nobody_signs_on_as_an_unknown_terminal(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.stub.SignOn(app_pb2.SignOnRequest(terminal_id=999_999))
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_what_a_gateway_reports_stands_in_the_status_of_its_lines(client: Client) -> None:
    town = client.town
    report = app_pb2.LineReport(gateway="g1", online_line_id=[town.line], online_terminal_id=[town.terminal])
    await client.stub.ReportLines(report)
    assert town.execute("SELECT line_id, online, gateway FROM devices_linestatus") == [(town.line, True, "g1")]
    assert town.execute("SELECT gateway, online_lines, online_terminals FROM devices_gatewaystatus") == [("g1", 1, 1)]


async def test_over_tcp_only_a_gateways_certificate_is_let_in(start_app: StartApp) -> None:
    from onecard.appserver.server import Tls
    from onecard.services.devices import api

    authority = await in_thread(api.authority)
    files = await in_thread(api.ensure_gateway_files)
    certificate, key = files.certificate.read_bytes(), files.key.read_bytes()
    line_key, request = api.build_request()
    line = await in_thread(lambda: authority.issue_client(request, common_name="line-1", now=datetime.now(UTC)))
    tls = Tls(certificate=certificate, key=key, authority=authority.pem)
    client = await start_app(listen="127.0.0.1:0", tls=tls)
    address = f"localhost:{client.server.port}"
    async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authority.pem, key, certificate)) as channel:
        await app_pb2_grpc.ApplicationStub(channel).Post(app_pb2.PostBatch())  # type: ignore[no-untyped-call]
    async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(authority.pem, line_key, line.pem)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await app_pb2_grpc.ApplicationStub(channel).Post(app_pb2.PostBatch())  # type: ignore[no-untyped-call]
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
