"""What others call of personalisation: batches and their control, jobs and their journal, media without a chip, relayed touches.

Whatever changes something takes an `actor` and asks its permission (`permissions.PERMISSIONS`), scoped by operator.
"""

from onecard.services.actors import Actor
from onecard.services.issuing.batches import BatchOrder, Progress, cancel, create, get, pause, progress, start
from onecard.services.issuing.belonging import Recipient
from onecard.services.issuing.checks import check
from onecard.services.issuing.claims import Request
from onecard.services.issuing.desk import (
    JobOrder,
    batch_list,
    bind,
    create_job,
    get_job,
    jobs,
    retry,
    roll_back,
    steps,
    write_off,
)
from onecard.services.issuing.engine import Outcome, Result, Vault, touch
from onecard.services.issuing.models import Batch, BatchState, Job, JobState, JournalLine, LinePhase, Pace, Purpose
from onecard.services.issuing.permissions import PERMISSIONS
from onecard.services.issuing.recognise import Recognised, recognise
from onecard.services.issuing.remote import Step, sessions
from onecard.services.issuing.renewals import WITH_CHIP, Renewal, stations
from onecard.services.issuing.renewals import create as create_renewal
from onecard.services.issuing.renewals import of as renewals_of
from onecard.services.issuing.station import Figures, Report, Slot, Trouble, play, run_batch, touch_once

__all__ = [
    "PERMISSIONS",
    "WITH_CHIP",
    "Batch",
    "BatchOrder",
    "BatchState",
    "Figures",
    "Job",
    "JobOrder",
    "JobState",
    "JournalLine",
    "LinePhase",
    "Outcome",
    "Pace",
    "Progress",
    "Purpose",
    "Recipient",
    "Recognised",
    "Renewal",
    "Report",
    "Request",
    "Result",
    "Slot",
    "Step",
    "Trouble",
    "Vault",
    "batch_list",
    "bind",
    "cancel",
    "check",
    "create",
    "create_job",
    "create_renewal",
    "get",
    "get_job",
    "jobs",
    "pause",
    "play",
    "progress",
    "recognise",
    "remote_begin",
    "remote_end",
    "remote_step",
    "renewals_of",
    "retry",
    "roll_back",
    "run_batch",
    "start",
    "stations",
    "steps",
    "touch",
    "touch_once",
    "write_off",
]


def remote_begin(
    *,
    actor: Actor,
    station: str,
    batch_id: int | None = None,
    job_id: int | None = None,
    serial: int | None = None,
    uid: bytes = b"",
) -> Step:
    """Begin with the card on a workstation's reader: the first command to carry to it. Raises VaultLocked, and as `touch`."""
    from onecard.services.keys.api import open_vault

    request = Request(station, actor, batch_id=batch_id, job_id=job_id, serial=serial, uid=uid)
    return sessions.begin(request, open_vault())


def remote_step(session: str, number: int, response: bytes, *, actor: Actor) -> Step:
    """The answer to command `number`; the next command, or the result. Raises SessionLost: begin again, the card goes on."""
    return sessions.step(session, number, response, actor=actor)


def remote_end(session: str, *, actor: Actor) -> None:
    """The card was taken away. Nothing is lost: its next touch goes on."""
    sessions.end(session, actor=actor)
