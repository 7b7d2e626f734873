from onecard.protocol.proto import device_pb2 as _device_pb2
from onecard.protocol.proto import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LineKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LINE_KIND_UNSPECIFIED: _ClassVar[LineKind]
    STRAIGHT_TERMINAL: _ClassVar[LineKind]
    FRONT_END: _ClassVar[LineKind]

class Refusal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NONE: _ClassVar[Refusal]
    REVOKED: _ClassVar[Refusal]
    UNIT_SUSPENDED: _ClassVar[Refusal]
    UNIT_EXPIRED: _ClassVar[Refusal]
    OPERATOR_SUSPENDED: _ClassVar[Refusal]
LINE_KIND_UNSPECIFIED: LineKind
STRAIGHT_TERMINAL: LineKind
FRONT_END: LineKind
NONE: Refusal
REVOKED: Refusal
UNIT_SUSPENDED: Refusal
UNIT_EXPIRED: Refusal
OPERATOR_SUSPENDED: Refusal

class PostBatch(_message.Message):
    __slots__ = ("gateway", "records", "line_id")
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    gateway: str
    records: _records_pb2.Records
    line_id: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, gateway: _Optional[str] = ..., records: _Optional[_Union[_records_pb2.Records, _Mapping]] = ..., line_id: _Optional[_Iterable[int]] = ...) -> None: ...

class PostReply(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _records_pb2.Answers
    def __init__(self, answers: _Optional[_Union[_records_pb2.Answers, _Mapping]] = ...) -> None: ...

class WatchAdmissionRequest(_message.Message):
    __slots__ = ("gateway",)
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    gateway: str
    def __init__(self, gateway: _Optional[str] = ...) -> None: ...

class AdmissionEvent(_message.Message):
    __slots__ = ("lines", "removed_line_id", "snapshot_end", "pay_code_keys", "data", "tasks")
    LINES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_LINE_ID_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    PAY_CODE_KEYS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[Line]
    removed_line_id: _containers.RepeatedScalarFieldContainer[int]
    snapshot_end: bool
    pay_code_keys: _records_pb2.PayCodeKeys
    data: PlatformData
    tasks: _containers.RepeatedCompositeFieldContainer[LineTasks]
    def __init__(self, lines: _Optional[_Iterable[_Union[Line, _Mapping]]] = ..., removed_line_id: _Optional[_Iterable[int]] = ..., snapshot_end: _Optional[bool] = ..., pay_code_keys: _Optional[_Union[_records_pb2.PayCodeKeys, _Mapping]] = ..., data: _Optional[_Union[PlatformData, _Mapping]] = ..., tasks: _Optional[_Iterable[_Union[LineTasks, _Mapping]]] = ...) -> None: ...

class PlatformData(_message.Message):
    __slots__ = ("current",)
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    current: _containers.RepeatedCompositeFieldContainer[_device_pb2.DataVersion]
    def __init__(self, current: _Optional[_Iterable[_Union[_device_pb2.DataVersion, _Mapping]]] = ...) -> None: ...

class LineTasks(_message.Message):
    __slots__ = ("line_id", "current", "lease_serial", "tasks")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    LEASE_SERIAL_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    line_id: int
    current: _containers.RepeatedCompositeFieldContainer[_device_pb2.DataVersion]
    lease_serial: int
    tasks: _containers.RepeatedCompositeFieldContainer[_device_pb2.Task]
    def __init__(self, line_id: _Optional[int] = ..., current: _Optional[_Iterable[_Union[_device_pb2.DataVersion, _Mapping]]] = ..., lease_serial: _Optional[int] = ..., tasks: _Optional[_Iterable[_Union[_device_pb2.Task, _Mapping]]] = ...) -> None: ...

class Line(_message.Message):
    __slots__ = ("line_id", "certificate_sha256", "unit_id", "name", "kind", "refusal", "valid_until_us", "terminals")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    UNIT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_US_FIELD_NUMBER: _ClassVar[int]
    TERMINALS_FIELD_NUMBER: _ClassVar[int]
    line_id: int
    certificate_sha256: bytes
    unit_id: int
    name: str
    kind: LineKind
    refusal: Refusal
    valid_until_us: int
    terminals: _containers.RepeatedCompositeFieldContainer[LineTerminal]
    def __init__(self, line_id: _Optional[int] = ..., certificate_sha256: _Optional[bytes] = ..., unit_id: _Optional[int] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[LineKind, str]] = ..., refusal: _Optional[_Union[Refusal, str]] = ..., valid_until_us: _Optional[int] = ..., terminals: _Optional[_Iterable[_Union[LineTerminal, _Mapping]]] = ...) -> None: ...

class LineTerminal(_message.Message):
    __slots__ = ("terminal_id", "tid", "mid", "certificate_sha256", "driver", "known_seq")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    TID_FIELD_NUMBER: _ClassVar[int]
    MID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    DRIVER_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SEQ_FIELD_NUMBER: _ClassVar[int]
    terminal_id: int
    tid: str
    mid: str
    certificate_sha256: bytes
    driver: str
    known_seq: int
    def __init__(self, terminal_id: _Optional[int] = ..., tid: _Optional[str] = ..., mid: _Optional[str] = ..., certificate_sha256: _Optional[bytes] = ..., driver: _Optional[str] = ..., known_seq: _Optional[int] = ...) -> None: ...

class SignOnRequest(_message.Message):
    __slots__ = ("terminal_id",)
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    terminal_id: int
    def __init__(self, terminal_id: _Optional[int] = ...) -> None: ...

class SignOnReply(_message.Message):
    __slots__ = ("mac_key", "de62", "batch_no")
    MAC_KEY_FIELD_NUMBER: _ClassVar[int]
    DE62_FIELD_NUMBER: _ClassVar[int]
    BATCH_NO_FIELD_NUMBER: _ClassVar[int]
    mac_key: bytes
    de62: bytes
    batch_no: int
    def __init__(self, mac_key: _Optional[bytes] = ..., de62: _Optional[bytes] = ..., batch_no: _Optional[int] = ...) -> None: ...

class LoadChipCall(_message.Message):
    __slots__ = ("gateway", "line_id", "load")
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    gateway: str
    line_id: int
    load: _records_pb2.ChipLoad
    def __init__(self, gateway: _Optional[str] = ..., line_id: _Optional[int] = ..., load: _Optional[_Union[_records_pb2.ChipLoad, _Mapping]] = ...) -> None: ...

class TerminalTotalsRequest(_message.Message):
    __slots__ = ("terminal_id", "batch_no")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_NO_FIELD_NUMBER: _ClassVar[int]
    terminal_id: int
    batch_no: int
    def __init__(self, terminal_id: _Optional[int] = ..., batch_no: _Optional[int] = ...) -> None: ...

class TerminalTotalsReply(_message.Message):
    __slots__ = ("debit_fen", "debit_count", "credit_fen", "credit_count")
    DEBIT_FEN_FIELD_NUMBER: _ClassVar[int]
    DEBIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FEN_FIELD_NUMBER: _ClassVar[int]
    CREDIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    debit_fen: int
    debit_count: int
    credit_fen: int
    credit_count: int
    def __init__(self, debit_fen: _Optional[int] = ..., debit_count: _Optional[int] = ..., credit_fen: _Optional[int] = ..., credit_count: _Optional[int] = ...) -> None: ...

class LineReport(_message.Message):
    __slots__ = ("gateway", "online_line_id", "online_terminal_id", "refused_handshakes", "requests_per_second", "latency_p50_ms", "latency_p99_ms")
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    ONLINE_LINE_ID_FIELD_NUMBER: _ClassVar[int]
    ONLINE_TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    REFUSED_HANDSHAKES_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P50_MS_FIELD_NUMBER: _ClassVar[int]
    LATENCY_P99_MS_FIELD_NUMBER: _ClassVar[int]
    gateway: str
    online_line_id: _containers.RepeatedScalarFieldContainer[int]
    online_terminal_id: _containers.RepeatedScalarFieldContainer[int]
    refused_handshakes: int
    requests_per_second: float
    latency_p50_ms: float
    latency_p99_ms: float
    def __init__(self, gateway: _Optional[str] = ..., online_line_id: _Optional[_Iterable[int]] = ..., online_terminal_id: _Optional[_Iterable[int]] = ..., refused_handshakes: _Optional[int] = ..., requests_per_second: _Optional[float] = ..., latency_p50_ms: _Optional[float] = ..., latency_p99_ms: _Optional[float] = ...) -> None: ...

class LineReportReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DeviceReport(_message.Message):
    __slots__ = ("gateway", "lines", "events", "refused")
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    gateway: str
    lines: _containers.RepeatedCompositeFieldContainer[LineStatus]
    events: _containers.RepeatedCompositeFieldContainer[LineEvents]
    refused: _containers.RepeatedCompositeFieldContainer[RefusedHandshake]
    def __init__(self, gateway: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[LineStatus, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[LineEvents, _Mapping]]] = ..., refused: _Optional[_Iterable[_Union[RefusedHandshake, _Mapping]]] = ...) -> None: ...

class LineStatus(_message.Message):
    __slots__ = ("line_id", "heard_at_us", "address", "clock_offset_us", "hello", "heartbeat")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    HEARD_AT_US_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_OFFSET_US_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    line_id: int
    heard_at_us: int
    address: str
    clock_offset_us: int
    hello: _device_pb2.Hello
    heartbeat: _device_pb2.Heartbeat
    def __init__(self, line_id: _Optional[int] = ..., heard_at_us: _Optional[int] = ..., address: _Optional[str] = ..., clock_offset_us: _Optional[int] = ..., hello: _Optional[_Union[_device_pb2.Hello, _Mapping]] = ..., heartbeat: _Optional[_Union[_device_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class LineEvents(_message.Message):
    __slots__ = ("line_id", "events")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    line_id: int
    events: _containers.RepeatedCompositeFieldContainer[_device_pb2.DeviceEvent]
    def __init__(self, line_id: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_device_pb2.DeviceEvent, _Mapping]]] = ...) -> None: ...

class RefusedHandshake(_message.Message):
    __slots__ = ("at_us", "address", "reason", "certificate_der", "times")
    AT_US_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    at_us: int
    address: str
    reason: str
    certificate_der: bytes
    times: int
    def __init__(self, at_us: _Optional[int] = ..., address: _Optional[str] = ..., reason: _Optional[str] = ..., certificate_der: _Optional[bytes] = ..., times: _Optional[int] = ...) -> None: ...

class DeviceReportReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FetchFileCall(_message.Message):
    __slots__ = ("line_id", "name", "offset", "length")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    line_id: int
    name: str
    offset: int
    length: int
    def __init__(self, line_id: _Optional[int] = ..., name: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class GetLeaseCall(_message.Message):
    __slots__ = ("line_id",)
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    line_id: int
    def __init__(self, line_id: _Optional[int] = ...) -> None: ...

class EnrolDeviceCall(_message.Message):
    __slots__ = ("gateway", "address", "enrol")
    GATEWAY_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ENROL_FIELD_NUMBER: _ClassVar[int]
    gateway: str
    address: str
    enrol: _device_pb2.Enrol
    def __init__(self, gateway: _Optional[str] = ..., address: _Optional[str] = ..., enrol: _Optional[_Union[_device_pb2.Enrol, _Mapping]] = ...) -> None: ...
