from onecard.protocol.proto import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeviceFrame(_message.Message):
    __slots__ = ("hello", "submit", "heartbeat", "chip_load")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    CHIP_LOAD_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    submit: Submit
    heartbeat: Heartbeat
    chip_load: ChipLoadRequest
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., submit: _Optional[_Union[Submit, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., chip_load: _Optional[_Union[ChipLoadRequest, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("protocol_version", "maker", "model", "firmware", "device_clock_us")
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MAKER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FIRMWARE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_CLOCK_US_FIELD_NUMBER: _ClassVar[int]
    protocol_version: int
    maker: str
    model: str
    firmware: str
    device_clock_us: int
    def __init__(self, protocol_version: _Optional[int] = ..., maker: _Optional[str] = ..., model: _Optional[str] = ..., firmware: _Optional[str] = ..., device_clock_us: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("device_clock_us", "backlog", "oldest_unsent_us")
    DEVICE_CLOCK_US_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNSENT_US_FIELD_NUMBER: _ClassVar[int]
    device_clock_us: int
    backlog: int
    oldest_unsent_us: int
    def __init__(self, device_clock_us: _Optional[int] = ..., backlog: _Optional[int] = ..., oldest_unsent_us: _Optional[int] = ...) -> None: ...

class PlatformFrame(_message.Message):
    __slots__ = ("welcome", "answer", "heartbeat", "closing", "chip_load", "pay_code_keys")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    CHIP_LOAD_FIELD_NUMBER: _ClassVar[int]
    PAY_CODE_KEYS_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    answer: SubmitAnswer
    heartbeat: HeartbeatAnswer
    closing: Closing
    chip_load: ChipLoadReply
    pay_code_keys: _records_pb2.PayCodeKeys
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., answer: _Optional[_Union[SubmitAnswer, _Mapping]] = ..., heartbeat: _Optional[_Union[HeartbeatAnswer, _Mapping]] = ..., closing: _Optional[_Union[Closing, _Mapping]] = ..., chip_load: _Optional[_Union[ChipLoadReply, _Mapping]] = ..., pay_code_keys: _Optional[_Union[_records_pb2.PayCodeKeys, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("terminal_id", "tid")
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    TID_FIELD_NUMBER: _ClassVar[int]
    terminal_id: int
    tid: str
    def __init__(self, terminal_id: _Optional[int] = ..., tid: _Optional[str] = ...) -> None: ...

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

class Closing(_message.Message):
    __slots__ = ("code", "reason")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
