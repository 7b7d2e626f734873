"""The lease a front-end holds (O4): kept on disk, checked against the platform's authority, and read by its own clock."""

import json
import logging
from base64 import b64decode, b64encode
from datetime import datetime
from pathlib import Path

from onecard.fep.clock import FrontEndClock
from onecard.fep.files import replace_file
from onecard.kernel.clock import to_epoch_us
from onecard.kernel.codes import Result
from onecard.kernel.errors import InvalidInput
from onecard.protocol.lease import Lease, SignedLease, Step
from onecard.protocol.proto.device_pb2 import LeaseReply

log = logging.getLogger(__name__)


class LeaseKeeper:
    """`lease.json` in the front-end's folder. Without any lease nothing is sold off line (NO_SALES)."""

    def __init__(self, folder: Path, ca_pem: bytes, clock: FrontEndClock, *, line_id: int) -> None:
        self._path = folder / "lease.json"
        self._ca_pem = ca_pem
        self._clock = clock
        self._line_id = line_id
        self.lease = self._load()
        if self.lease:
            clock.not_before(self.lease.issued_at_us)

    @property
    def serial(self) -> int:
        """Of the lease in force; 0: none."""
        return self.lease.serial if self.lease else 0

    @property
    def unit_id(self) -> int | None:
        """The unit of the lease; None: there is no lease."""
        return self.lease.unit_id if self.lease else None

    def step(self, now: datetime | None = None) -> Step:
        """How far the lease has run out, by the front-end's clock where no other moment is named."""
        if self.lease is None:
            return Step.NO_SALES
        return self.lease.step_at(to_epoch_us(now) if now else self._clock.now_us())

    def take(self, reply: LeaseReply) -> bool:
        """Put a lease of the platform in force; False when it is the one in force, or the platform gives none.

        Raises InvalidInput for one that is not signed for this line, or is older than the one in force; that one stays.
        """
        if reply.code != Result.APPROVED:
            return False
        signed = SignedLease(reply.lease, reply.signature, reply.certificate_der)
        lease = signed.open(self._ca_pem, line_id=self._line_id)
        if self.lease and lease.serial < self.lease.serial:
            raise InvalidInput(
                f"租约 {lease.serial} 早于现行租约 {self.lease.serial}",
                f"lease {lease.serial} is older than {self.lease.serial}, which is in force",
            )
        if lease == self.lease:
            return False
        replace_file(self._path, _to_json(signed))
        self.lease = lease
        return True

    def _load(self) -> Lease | None:
        try:
            content = json.loads(self._path.read_bytes())
            signed = SignedLease(*(b64decode(content[name], validate=True) for name in ("lease", "signature", "certificate")))
            return signed.open(self._ca_pem, line_id=self._line_id)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, InvalidInput) as error:
            log.warning("fep: the stored lease is not used, a new one is asked for: %s", error)
            return None


def _to_json(signed: SignedLease) -> bytes:
    content = {"lease": signed.lease, "signature": signed.signature, "certificate": signed.certificate_der}
    return json.dumps({name: b64encode(value).decode() for name, value in content.items()}).encode()
