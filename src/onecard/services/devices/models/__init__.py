"""Rows of this domain: lines (the authorised list, G2), terminals (D1), settlement batches, and what gateways last reported.

Change rows through `api.py`.
"""

from onecard.services.devices.models.admission import AdmissionSettings, EnrolmentCode, LeaseKey, LineLease, RefusedAttempt
from onecard.services.devices.models.alarms import (
    Alarm,
    AlarmKind,
    AlarmMessage,
    AlarmRecipient,
    AlarmRule,
    AlarmStep,
    MessageAttempt,
)
from onecard.services.devices.models.health import DeviceStatus, Keeping, StatusHistory, StoredEvent
from onecard.services.devices.models.lines import Line, LineKind, LineState
from onecard.services.devices.models.registry import Capability, Device, DeviceModel, DeviceMove
from onecard.services.devices.models.sealed import SealedSecret
from onecard.services.devices.models.status import GatewayStatus, LineStatus
from onecard.services.devices.models.templates import (
    DeviceOverride,
    LineParameters,
    Parameter,
    ParameterChange,
    ParameterTemplate,
)
from onecard.services.devices.models.terminals import Driver, Terminal, TerminalBatch, TerminalState

__all__ = [
    "AdmissionSettings",
    "Alarm",
    "AlarmKind",
    "AlarmMessage",
    "AlarmRecipient",
    "AlarmRule",
    "AlarmStep",
    "Capability",
    "Device",
    "DeviceModel",
    "DeviceMove",
    "DeviceOverride",
    "DeviceStatus",
    "Driver",
    "EnrolmentCode",
    "GatewayStatus",
    "Keeping",
    "LeaseKey",
    "Line",
    "LineKind",
    "LineLease",
    "LineParameters",
    "LineState",
    "LineStatus",
    "MessageAttempt",
    "Parameter",
    "ParameterChange",
    "ParameterTemplate",
    "RefusedAttempt",
    "SealedSecret",
    "StatusHistory",
    "StoredEvent",
    "Terminal",
    "TerminalBatch",
    "TerminalState",
]
