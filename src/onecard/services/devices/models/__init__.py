"""Rows of this domain: lines (the authorised list, G2), terminals (D1), settlement batches, and what gateways last reported.

Change rows through `api.py`.
"""

from onecard.services.devices.models.admission import AdmissionSettings, EnrolmentCode, LeaseKey, LineLease, RefusedAttempt
from onecard.services.devices.models.lines import Line, LineKind, LineState
from onecard.services.devices.models.sealed import SealedSecret
from onecard.services.devices.models.status import GatewayStatus, LineStatus
from onecard.services.devices.models.terminals import Driver, Terminal, TerminalBatch, TerminalState

__all__ = [
    "AdmissionSettings",
    "Driver",
    "EnrolmentCode",
    "GatewayStatus",
    "LeaseKey",
    "Line",
    "LineKind",
    "LineLease",
    "LineState",
    "LineStatus",
    "RefusedAttempt",
    "SealedSecret",
    "Terminal",
    "TerminalBatch",
    "TerminalState",
]
