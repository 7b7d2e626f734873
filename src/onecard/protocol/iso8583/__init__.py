"""The ISO 8583 profile of the platform (银联 POS style): typed messages, codec, answer codes. See README.md."""

from onecard.protocol.iso8583.de39 import DE39, SIGN_ON_AGAIN, de39_of, result_of
from onecard.protocol.iso8583.messages import (
    Financial,
    IsoFormatError,
    Message,
    Network,
    NetworkKind,
    OfflineDetail,
    OfflineUpload,
    Original,
    Settlement,
    Totals,
)

__all__ = [
    "DE39",
    "SIGN_ON_AGAIN",
    "Financial",
    "IsoFormatError",
    "Message",
    "Network",
    "NetworkKind",
    "OfflineDetail",
    "OfflineUpload",
    "Original",
    "Settlement",
    "Totals",
    "de39_of",
    "result_of",
]
