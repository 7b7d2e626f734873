from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Records(_message.Message):
    __slots__ = ("op", "terminal_id", "terminal_seq", "card_no", "amount_fen", "occurred_at_us", "orig_terminal_id", "orig_seq")
    OP_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    CARD_NO_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_US_FIELD_NUMBER: _ClassVar[int]
    ORIG_TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_SEQ_FIELD_NUMBER: _ClassVar[int]
    op: _containers.RepeatedScalarFieldContainer[int]
    terminal_id: _containers.RepeatedScalarFieldContainer[int]
    terminal_seq: _containers.RepeatedScalarFieldContainer[int]
    card_no: _containers.RepeatedScalarFieldContainer[int]
    amount_fen: _containers.RepeatedScalarFieldContainer[int]
    occurred_at_us: _containers.RepeatedScalarFieldContainer[int]
    orig_terminal_id: _containers.RepeatedScalarFieldContainer[int]
    orig_seq: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, op: _Optional[_Iterable[int]] = ..., terminal_id: _Optional[_Iterable[int]] = ..., terminal_seq: _Optional[_Iterable[int]] = ..., card_no: _Optional[_Iterable[int]] = ..., amount_fen: _Optional[_Iterable[int]] = ..., occurred_at_us: _Optional[_Iterable[int]] = ..., orig_terminal_id: _Optional[_Iterable[int]] = ..., orig_seq: _Optional[_Iterable[int]] = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("code", "balance_fen", "transfer_id", "conflict_field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FEN_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_ID_FIELD_NUMBER: _ClassVar[int]
    CONFLICT_FIELD_FIELD_NUMBER: _ClassVar[int]
    code: _containers.RepeatedScalarFieldContainer[int]
    balance_fen: _containers.RepeatedScalarFieldContainer[int]
    transfer_id: _containers.RepeatedScalarFieldContainer[int]
    conflict_field: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, code: _Optional[_Iterable[int]] = ..., balance_fen: _Optional[_Iterable[int]] = ..., transfer_id: _Optional[_Iterable[int]] = ..., conflict_field: _Optional[_Iterable[int]] = ...) -> None: ...
