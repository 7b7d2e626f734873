"""A town for the front-end's tests: a real database, application server and gateway, and front-ends as processes."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from onecard.datacenter import dj
from onecard.fep.faults import VARIABLE
from onecard.kernel.numbers import build_account_no, build_card_no
from onecard.ledger import audit
from onecard.ledger.opening import AccountRow, open_accounts
from onecard.terminal.tls import Identity
from tests.fep.processes import FrontEnd, Process, Relay, environment, free_port, write_lists

OPENING_FEN = 100_000
_NET = """
SELECT terminal_seq, sum(CASE WHEN credit BETWEEN 100000000 AND 199999999 THEN amount_fen ELSE 0 END)
         - sum(CASE WHEN debit BETWEEN 100000000 AND 199999999 THEN amount_fen ELSE 0 END),
       count(*) FILTER (WHERE kind IN (1, 2) AND (link_id IS NULL OR link_id = id))
  FROM ledger.transfer WHERE terminal_id = %s GROUP BY 1"""


@dataclass
class Town:
    """The platform's processes and the front-ends of its units."""

    folder: Path
    owner_dsn: str
    home: Path
    operator: int
    unit: int
    merchant: int
    card_type: int
    app: Process
    gateway: Process
    gateway_port: int
    fronts: list[FrontEnd] = field(default_factory=list)

    async def add(self, fault: str = "", *, lists: bool = True) -> FrontEnd:
        """A front-end that is enrolled and running, with a fault set."""
        front = await asyncio.to_thread(self._make, len(self.fronts) + 1, lists)
        await front.relay.start()
        front.process.words += ["--gateway", f"127.0.0.1:{front.relay.port}"]
        front.process.start(**{VARIABLE: fault})
        self.fronts.append(front)
        return front

    def _make(self, number: int, lists: bool) -> FrontEnd:
        from django.db import connections

        from onecard.services.devices import api as devices
        from onecard.services.devices import ca
        from onecard.services.devices.models import Line, LineKind, Terminal

        home = self.folder / f"fep{number}"
        home.mkdir()
        if lists:
            write_lists(home, self.unit)
        line = Line.objects.create(unit_id=self.unit, kind=LineKind.FRONT_END, name=f"前置机 {number}")
        key, csr = ca.build_request()
        (home / "key.pem").write_bytes(key)
        (home / "cert.pem").write_bytes(devices.enrol(line.pk, csr))
        (home / "ca.pem").write_bytes(devices.authority().pem)
        terminal = Terminal.objects.create(tid=f"FEP{number:05d}", merchant_id=self.merchant, line=line)
        key, csr = ca.build_request()
        issued = devices.authority().issue_client(csr, common_name=f"terminal-{terminal.pk}", now=datetime.now(UTC))
        Terminal.objects.filter(pk=terminal.pk).update(certificate_sha256=issued.sha256, certificate_until=issued.not_after)
        (home / "terminal.key").write_bytes(key)
        (home / "terminal.pem").write_bytes(issued.pem)
        card = build_card_no(issuer=6212, lane=0, serial=number)
        account = AccountRow(
            build_account_no(lane=0, serial=number), card, self.operator, self.card_type, unit_id=self.unit,
            public_fen=OPENING_FEN, private_unit=self.unit, private_fen=0,
        )  # fmt: skip
        with psycopg.connect(self.owner_dsn, autocommit=True) as connection:
            open_accounts(connection, [account])
        connections.close_all()
        ports = {"native": free_port(), "metrics": free_port()}
        words = ["serve", "fep", "--home", str(home), "--listen", "127.0.0.1", "--workstation-port", "-1", "--iso-port", "0"]
        words += ["--native-port", str(ports["native"]), "--metrics-port", str(ports["metrics"])]
        process = Process(words, self.folder / f"fep{number}.log", environment(self.owner_dsn, self.home))
        front = FrontEnd(process, Relay(self.gateway_port), home, terminal.pk, card, ports, line.pk)
        front.connect(Identity(home / "ca.pem", home / "terminal.pem", home / "terminal.key", line.pk))
        return front

    def check(self) -> None:
        """Every receipt is in the ledger exactly once, and nothing else is; the auditor is content."""
        with psycopg.connect(self.owner_dsn) as connection:
            for front in self.fronts:
                rows = connection.execute(_NET, (front.terminal_id,)).fetchall()
                posted = {seq: int(net) for seq, net, _ in rows if net}
                assert posted == {seq: fen for seq, fen in front.due.items() if fen}, front.process.log.read_text()[-2000:]
                assert [seq for seq, _, times in rows if times > 1] == []
            report = audit.run(connection, full=True)
            assert report.ok, report.first_failure

    async def stop(self) -> None:
        for front in self.fronts:
            await front.client.close()
            await front.relay.stop()
        for process in [front.process for front in self.fronts] + [self.gateway, self.app]:
            if process.popen is not None:
                process.kill()


def open_town() -> tuple[int, int, int, int]:
    dj.setup()
    from django.db import connections

    from onecard.services.devices import api as devices
    from onecard.services.operators.models import CardType, Merchant, Operator, Unit, UnitState

    now = datetime.now(UTC)
    operator = Operator.objects.create(code="ROOT", name="市民卡公司", holder_cap=1000)
    unit = Unit.objects.create(
        operator=operator, code="U1", name="一中", state=UnitState.ACTIVE, valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=90), purse_order=3,
    )  # fmt: skip
    merchant = Merchant.objects.create(operator=operator, unit=unit, name="食堂")
    card_type = CardType.objects.create(code="STD", name="普通卡")
    devices.ensure_gateway_files()
    connections.close_all()
    return operator.pk, unit.pk, merchant.pk, card_type.pk


@contextlib.asynccontextmanager
async def running_town(django_database, new_home, monkeypatch, django_db_blocker, tmp_path):
    home = new_home()
    home.prepare()
    monkeypatch.setenv("ONECARD_HOME", str(home.path))
    with django_db_blocker.unblock():
        rows = await asyncio.to_thread(open_town)
        port = free_port()
        env = environment(django_database.owner_dsn, home.path)
        socket = f"unix:{tmp_path}/app.sock"
        app = Process(["serve", "app", "--listen", socket, "--dsn", django_database.app_dsn], tmp_path / "app.log", env)
        words = ["serve", "gateway", "--app", socket, "--native-port", str(port), "--iso-port", "0", "--metrics-port", "0"]
        gateway = Process([*words, "--host", "127.0.0.1", "--tls-dir", str(home.tls_dir)], tmp_path / "gateway.log", env)
        made = Town(tmp_path, django_database.owner_dsn, home.path, *rows, app, gateway, port)
        app.start()
        gateway.start()
        try:
            await gateway.says("is open")
            yield made
        finally:
            await made.stop()
