from onecard.protocol.proto import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeviceFrame(_message.Message):
    __slots__ = ("hello", "submit", "heartbeat", "chip_load", "events", "fetch", "lease", "http", "enrol", "sign_on", "totals")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    CHIP_LOAD_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FETCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    HTTP_FIELD_NUMBER: _ClassVar[int]
    ENROL_FIELD_NUMBER: _ClassVar[int]
    SIGN_ON_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    submit: Submit
    heartbeat: Heartbeat
    chip_load: ChipLoadRequest
    events: Events
    fetch: Fetch
    lease: LeaseRequest
    http: HttpRequest
    enrol: Enrol
    sign_on: SignOnAsk
    totals: TotalsAsk
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., submit: _Optional[_Union[Submit, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., chip_load: _Optional[_Union[ChipLoadRequest, _Mapping]] = ..., events: _Optional[_Union[Events, _Mapping]] = ..., fetch: _Optional[_Union[Fetch, _Mapping]] = ..., lease: _Optional[_Union[LeaseRequest, _Mapping]] = ..., http: _Optional[_Union[HttpRequest, _Mapping]] = ..., enrol: _Optional[_Union[Enrol, _Mapping]] = ..., sign_on: _Optional[_Union[SignOnAsk, _Mapping]] = ..., totals: _Optional[_Union[TotalsAsk, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_version", "maker", "model", "firmware", "device_clock_us", "hardware", "serial", "versions")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MAKER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIRMWARE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_CLOCK_US_FIELD_NUMBER: _ClassVar[int]
    HARDWARE_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    maker: str
    model: str
    firmware: str
    device_clock_us: int
    hardware: str
    serial: str
    versions: _containers.RepeatedCompositeFieldContainer[DataVersion]
    def __init__(self, protocol_version: _Optional[int] = ..., maker: _Optional[str] = ..., model: _Optional[str] = ..., firmware: _Optional[str] = ..., device_clock_us: _Optional[int] = ..., hardware: _Optional[str] = ..., serial: _Optional[str] = ..., versions: _Optional[_Iterable[_Union[DataVersion, _Mapping]]] = ...) -> None: ...

class DataVersion(_message.Message):
    __slots__ = ("name", "version", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    sha256: bytes
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class Submit(_message.Message):
    __slots__ = ("submit_id", "records")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    records: _records_pb2.Records
    def __init__(self, submit_id: _Optional[int] = ..., records: _Optional[_Union[_records_pb2.Records, _Mapping]] = ...) -> None: ...

class ChipLoadRequest(_message.Message):
    __slots__ = ("submit_id", "load")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    load: _records_pb2.ChipLoad
    def __init__(self, submit_id: _Optional[int] = ..., load: _Optional[_Union[_records_pb2.ChipLoad, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("device_clock_us", "backlog", "oldest_unsent_us", "versions", "last_error", "holes", "disk_free_permille", "lease_serial", "devices")
    DEVICE_CLOCK_US_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNSENT_US_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    HOLES_FIELD_NUMBER: _ClassVar[int]
    DISK_FREE_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    LEASE_SERIAL_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    device_clock_us: int
    backlog: int
    oldest_unsent_us: int
    versions: _containers.RepeatedCompositeFieldContainer[DataVersion]
    last_error: str
    holes: _containers.RepeatedCompositeFieldContainer[SequenceHole]
    disk_free_permille: int
    lease_serial: int
    devices: _containers.RepeatedCompositeFieldContainer[DeviceState]
    def __init__(self, device_clock_us: _Optional[int] = ..., backlog: _Optional[int] = ..., oldest_unsent_us: _Optional[int] = ..., versions: _Optional[_Iterable[_Union[DataVersion, _Mapping]]] = ..., last_error: _Optional[str] = ..., holes: _Optional[_Iterable[_Union[SequenceHole, _Mapping]]] = ..., disk_free_permille: _Optional[int] = ..., lease_serial: _Optional[int] = ..., devices: _Optional[_Iterable[_Union[DeviceState, _Mapping]]] = ...) -> None: ...

class DeviceState(_message.Message):
    __slots__ = ("terminal_id", "online", "clock_offset_us", "backlog", "oldest_unsent_us", "versions", "last_error", "maker", "model", "firmware", "hardware", "serial")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    ONLINE_FIELD_NUMBER: _ClassVar[int]
    CLOCK_OFFSET_US_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNSENT_US_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    MAKER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIRMWARE_FIELD_NUMBER: _ClassVar[int]
    HARDWARE_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    terminal_id: int
    online: bool
    clock_offset_us: int
    backlog: int
    oldest_unsent_us: int
    versions: _containers.RepeatedCompositeFieldContainer[DataVersion]
    last_error: str
    maker: str
    model: str
    firmware: str
    hardware: str
    serial: str
    def __init__(self, terminal_id: _Optional[int] = ..., online: _Optional[bool] = ..., clock_offset_us: _Optional[int] = ..., backlog: _Optional[int] = ..., oldest_unsent_us: _Optional[int] = ..., versions: _Optional[_Iterable[_Union[DataVersion, _Mapping]]] = ..., last_error: _Optional[str] = ..., maker: _Optional[str] = ..., model: _Optional[str] = ..., firmware: _Optional[str] = ..., hardware: _Optional[str] = ..., serial: _Optional[str] = ...) -> None: ...

class SequenceHole(_message.Message):
    __slots__ = ("terminal_id", "from_seq", "through_seq", "since_us")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    THROUGH_SEQ_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    terminal_id: int
    from_seq: int
    through_seq: int
    since_us: int
    def __init__(self, terminal_id: _Optional[int] = ..., from_seq: _Optional[int] = ..., through_seq: _Optional[int] = ..., since_us: _Optional[int] = ...) -> None: ...

class Events(_message.Message):
    __slots__ = ("submit_id", "events")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    events: _containers.RepeatedCompositeFieldContainer[DeviceEvent]
    def __init__(self, submit_id: _Optional[int] = ..., events: _Optional[_Iterable[_Union[DeviceEvent, _Mapping]]] = ...) -> None: ...

class DeviceEvent(_message.Message):
    __slots__ = ("event_id", "terminal_id", "kind", "occurred_at_us", "card_no", "detail", "action_id", "progress_permille")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_US_FIELD_NUMBER: _ClassVar[int]
    CARD_NO_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    event_id: bytes
    terminal_id: int
    kind: int
    occurred_at_us: int
    card_no: int
    detail: str
    action_id: int
    progress_permille: int
    def __init__(self, event_id: _Optional[bytes] = ..., terminal_id: _Optional[int] = ..., kind: _Optional[int] = ..., occurred_at_us: _Optional[int] = ..., card_no: _Optional[int] = ..., detail: _Optional[str] = ..., action_id: _Optional[int] = ..., progress_permille: _Optional[int] = ...) -> None: ...

class Fetch(_message.Message):
    __slots__ = ("submit_id", "name", "offset", "length")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    name: str
    offset: int
    length: int
    def __init__(self, submit_id: _Optional[int] = ..., name: _Optional[str] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class LeaseRequest(_message.Message):
    __slots__ = ("submit_id",)
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    def __init__(self, submit_id: _Optional[int] = ...) -> None: ...

class HttpRequest(_message.Message):
    __slots__ = ("stream_id", "method", "target", "headers", "body", "end", "abort", "credit")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    ABORT_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    stream_id: int
    method: str
    target: str
    headers: _containers.RepeatedCompositeFieldContainer[HttpHeader]
    body: bytes
    end: bool
    abort: bool
    credit: int
    def __init__(self, stream_id: _Optional[int] = ..., method: _Optional[str] = ..., target: _Optional[str] = ..., headers: _Optional[_Iterable[_Union[HttpHeader, _Mapping]]] = ..., body: _Optional[bytes] = ..., end: _Optional[bool] = ..., abort: _Optional[bool] = ..., credit: _Optional[int] = ...) -> None: ...

class HttpHeader(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class Enrol(_message.Message):
    __slots__ = ("submit_id", "code", "csr_pem", "hosts")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CSR_PEM_FIELD_NUMBER: _ClassVar[int]
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    code: str
    csr_pem: bytes
    hosts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, submit_id: _Optional[int] = ..., code: _Optional[str] = ..., csr_pem: _Optional[bytes] = ..., hosts: _Optional[_Iterable[str]] = ...) -> None: ...

class PlatformFrame(_message.Message):
    __slots__ = ("welcome", "answer", "heartbeat", "closing", "chip_load", "pay_code_keys", "events", "fetch", "lease", "tasks", "line_state", "http", "enrolled", "signed_on", "totals")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    CHIP_LOAD_FIELD_NUMBER: _ClassVar[int]
    PAY_CODE_KEYS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    FETCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    LINE_STATE_FIELD_NUMBER: _ClassVar[int]
    HTTP_FIELD_NUMBER: _ClassVar[int]
    ENROLLED_FIELD_NUMBER: _ClassVar[int]
    SIGNED_ON_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    answer: SubmitAnswer
    heartbeat: HeartbeatAnswer
    closing: Closing
    chip_load: ChipLoadReply
    pay_code_keys: _records_pb2.PayCodeKeys
    events: EventsAnswer
    fetch: FetchReply
    lease: LeaseReply
    tasks: Tasks
    line_state: LineState
    http: HttpResponse
    enrolled: Enrolled
    signed_on: SignedOn
    totals: Totals
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., answer: _Optional[_Union[SubmitAnswer, _Mapping]] = ..., heartbeat: _Optional[_Union[HeartbeatAnswer, _Mapping]] = ..., closing: _Optional[_Union[Closing, _Mapping]] = ..., chip_load: _Optional[_Union[ChipLoadReply, _Mapping]] = ..., pay_code_keys: _Optional[_Union[_records_pb2.PayCodeKeys, _Mapping]] = ..., events: _Optional[_Union[EventsAnswer, _Mapping]] = ..., fetch: _Optional[_Union[FetchReply, _Mapping]] = ..., lease: _Optional[_Union[LeaseReply, _Mapping]] = ..., tasks: _Optional[_Union[Tasks, _Mapping]] = ..., line_state: _Optional[_Union[LineState, _Mapping]] = ..., http: _Optional[_Union[HttpResponse, _Mapping]] = ..., enrolled: _Optional[_Union[Enrolled, _Mapping]] = ..., signed_on: _Optional[_Union[SignedOn, _Mapping]] = ..., totals: _Optional[_Union[Totals, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("line_id", "window", "platform_clock_us", "terminals", "pay_code_keys")
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_CLOCK_US_FIELD_NUMBER: _ClassVar[int]
    TERMINALS_FIELD_NUMBER: _ClassVar[int]
    PAY_CODE_KEYS_FIELD_NUMBER: _ClassVar[int]
    line_id: int
    window: int
    platform_clock_us: int
    terminals: _containers.RepeatedCompositeFieldContainer[LineTerminalRef]
    pay_code_keys: _records_pb2.PayCodeKeys
    def __init__(self, line_id: _Optional[int] = ..., window: _Optional[int] = ..., platform_clock_us: _Optional[int] = ..., terminals: _Optional[_Iterable[_Union[LineTerminalRef, _Mapping]]] = ..., pay_code_keys: _Optional[_Union[_records_pb2.PayCodeKeys, _Mapping]] = ...) -> None: ...

class LineTerminalRef(_message.Message):
    __slots__ = ("terminal_id", "tid", "certificate_sha256", "driver", "mid", "known_seq")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    TID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    DRIVER_FIELD_NUMBER: _ClassVar[int]
    MID_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SEQ_FIELD_NUMBER: _ClassVar[int]
    terminal_id: int
    tid: str
    certificate_sha256: bytes
    driver: str
    mid: str
    known_seq: int
    def __init__(self, terminal_id: _Optional[int] = ..., tid: _Optional[str] = ..., certificate_sha256: _Optional[bytes] = ..., driver: _Optional[str] = ..., mid: _Optional[str] = ..., known_seq: _Optional[int] = ...) -> None: ...

class SubmitAnswer(_message.Message):
    __slots__ = ("submit_id", "answers")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    answers: _records_pb2.Answers
    def __init__(self, submit_id: _Optional[int] = ..., answers: _Optional[_Union[_records_pb2.Answers, _Mapping]] = ...) -> None: ...

class ChipLoadReply(_message.Message):
    __slots__ = ("submit_id", "answer")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    answer: _records_pb2.ChipLoadAnswer
    def __init__(self, submit_id: _Optional[int] = ..., answer: _Optional[_Union[_records_pb2.ChipLoadAnswer, _Mapping]] = ...) -> None: ...

class HeartbeatAnswer(_message.Message):
    __slots__ = ("platform_clock_us",)
    PLATFORM_CLOCK_US_FIELD_NUMBER: _ClassVar[int]
    platform_clock_us: int
    def __init__(self, platform_clock_us: _Optional[int] = ...) -> None: ...

class Tasks(_message.Message):
    __slots__ = ("current", "lease_serial", "tasks")
    CURRENT_FIELD_NUMBER: _ClassVar[int]
    LEASE_SERIAL_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    current: _containers.RepeatedCompositeFieldContainer[DataVersion]
    lease_serial: int
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    def __init__(self, current: _Optional[_Iterable[_Union[DataVersion, _Mapping]]] = ..., lease_serial: _Optional[int] = ..., tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("action_id", "terminal_id", "kind", "target", "length", "sha256", "version", "not_before_us", "not_after_us")
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_US_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_US_FIELD_NUMBER: _ClassVar[int]
    action_id: int
    terminal_id: int
    kind: str
    target: str
    length: int
    sha256: bytes
    version: int
    not_before_us: int
    not_after_us: int
    def __init__(self, action_id: _Optional[int] = ..., terminal_id: _Optional[int] = ..., kind: _Optional[str] = ..., target: _Optional[str] = ..., length: _Optional[int] = ..., sha256: _Optional[bytes] = ..., version: _Optional[int] = ..., not_before_us: _Optional[int] = ..., not_after_us: _Optional[int] = ...) -> None: ...

class LineState(_message.Message):
    __slots__ = ("offline", "since_us", "lease_step")
    OFFLINE_FIELD_NUMBER: _ClassVar[int]
    SINCE_US_FIELD_NUMBER: _ClassVar[int]
    LEASE_STEP_FIELD_NUMBER: _ClassVar[int]
    offline: bool
    since_us: int
    lease_step: int
    def __init__(self, offline: _Optional[bool] = ..., since_us: _Optional[int] = ..., lease_step: _Optional[int] = ...) -> None: ...

class EventsAnswer(_message.Message):
    __slots__ = ("submit_id", "code")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    code: int
    def __init__(self, submit_id: _Optional[int] = ..., code: _Optional[int] = ...) -> None: ...

class FetchReply(_message.Message):
    __slots__ = ("submit_id", "code", "total", "data")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    code: int
    total: int
    data: bytes
    def __init__(self, submit_id: _Optional[int] = ..., code: _Optional[int] = ..., total: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class LeaseReply(_message.Message):
    __slots__ = ("submit_id", "code", "lease", "signature", "certificate_der")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_DER_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    code: int
    lease: bytes
    signature: bytes
    certificate_der: bytes
    def __init__(self, submit_id: _Optional[int] = ..., code: _Optional[int] = ..., lease: _Optional[bytes] = ..., signature: _Optional[bytes] = ..., certificate_der: _Optional[bytes] = ...) -> None: ...

class HttpResponse(_message.Message):
    __slots__ = ("stream_id", "status", "headers", "body", "end", "credit")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    stream_id: int
    status: int
    headers: _containers.RepeatedCompositeFieldContainer[HttpHeader]
    body: bytes
    end: bool
    credit: int
    def __init__(self, stream_id: _Optional[int] = ..., status: _Optional[int] = ..., headers: _Optional[_Iterable[_Union[HttpHeader, _Mapping]]] = ..., body: _Optional[bytes] = ..., end: _Optional[bool] = ..., credit: _Optional[int] = ...) -> None: ...

class Enrolled(_message.Message):
    __slots__ = ("submit_id", "code", "reason", "certificate_pem", "ca_pem", "line_id", "terminal_id")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_PEM_FIELD_NUMBER: _ClassVar[int]
    CA_PEM_FIELD_NUMBER: _ClassVar[int]
    LINE_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    code: int
    reason: str
    certificate_pem: bytes
    ca_pem: bytes
    line_id: int
    terminal_id: int
    def __init__(self, submit_id: _Optional[int] = ..., code: _Optional[int] = ..., reason: _Optional[str] = ..., certificate_pem: _Optional[bytes] = ..., ca_pem: _Optional[bytes] = ..., line_id: _Optional[int] = ..., terminal_id: _Optional[int] = ...) -> None: ...

class SignOnAsk(_message.Message):
    __slots__ = ("submit_id", "terminal_id")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    terminal_id: int
    def __init__(self, submit_id: _Optional[int] = ..., terminal_id: _Optional[int] = ...) -> None: ...

class SignedOn(_message.Message):
    __slots__ = ("submit_id", "code", "mac_key", "de62", "batch_no")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MAC_KEY_FIELD_NUMBER: _ClassVar[int]
    DE62_FIELD_NUMBER: _ClassVar[int]
    BATCH_NO_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    code: int
    mac_key: bytes
    de62: bytes
    batch_no: int
    def __init__(self, submit_id: _Optional[int] = ..., code: _Optional[int] = ..., mac_key: _Optional[bytes] = ..., de62: _Optional[bytes] = ..., batch_no: _Optional[int] = ...) -> None: ...

class TotalsAsk(_message.Message):
    __slots__ = ("submit_id", "terminal_id", "batch_no")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_NO_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    terminal_id: int
    batch_no: int
    def __init__(self, submit_id: _Optional[int] = ..., terminal_id: _Optional[int] = ..., batch_no: _Optional[int] = ...) -> None: ...

class Totals(_message.Message):
    __slots__ = ("submit_id", "code", "debit_fen", "debit_count", "credit_fen", "credit_count")
    SUBMIT_ID_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DEBIT_FEN_FIELD_NUMBER: _ClassVar[int]
    DEBIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FEN_FIELD_NUMBER: _ClassVar[int]
    CREDIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    submit_id: int
    code: int
    debit_fen: int
    debit_count: int
    credit_fen: int
    credit_count: int
    def __init__(self, submit_id: _Optional[int] = ..., code: _Optional[int] = ..., debit_fen: _Optional[int] = ..., debit_count: _Optional[int] = ..., credit_fen: _Optional[int] = ..., credit_count: _Optional[int] = ...) -> None: ...

class Closing(_message.Message):
    __slots__ = ("code", "reason")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
