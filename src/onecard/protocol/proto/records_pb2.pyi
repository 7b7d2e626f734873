from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Records(_message.Message):
    __slots__ = ("op", "terminal_id", "terminal_seq", "card_no", "amount_fen", "occurred_at_us", "orig_terminal_id", "orig_seq", "chip", "pay_codes")
    OP_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    CARD_NO_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_US_FIELD_NUMBER: _ClassVar[int]
    ORIG_TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_SEQ_FIELD_NUMBER: _ClassVar[int]
    CHIP_FIELD_NUMBER: _ClassVar[int]
    PAY_CODES_FIELD_NUMBER: _ClassVar[int]
    op: _containers.RepeatedScalarFieldContainer[int]
    terminal_id: _containers.RepeatedScalarFieldContainer[int]
    terminal_seq: _containers.RepeatedScalarFieldContainer[int]
    card_no: _containers.RepeatedScalarFieldContainer[int]
    amount_fen: _containers.RepeatedScalarFieldContainer[int]
    occurred_at_us: _containers.RepeatedScalarFieldContainer[int]
    orig_terminal_id: _containers.RepeatedScalarFieldContainer[int]
    orig_seq: _containers.RepeatedScalarFieldContainer[int]
    chip: ChipDetails
    pay_codes: PayCodes
    def __init__(self, op: _Optional[_Iterable[int]] = ..., terminal_id: _Optional[_Iterable[int]] = ..., terminal_seq: _Optional[_Iterable[int]] = ..., card_no: _Optional[_Iterable[int]] = ..., amount_fen: _Optional[_Iterable[int]] = ..., occurred_at_us: _Optional[_Iterable[int]] = ..., orig_terminal_id: _Optional[_Iterable[int]] = ..., orig_seq: _Optional[_Iterable[int]] = ..., chip: _Optional[_Union[ChipDetails, _Mapping]] = ..., pay_codes: _Optional[_Union[PayCodes, _Mapping]] = ...) -> None: ...

class ChipDetails(_message.Message):
    __slots__ = ("row", "card_counter", "balance_before_fen", "sam_terminal_no", "sam_seq", "transaction_type", "key_version", "algorithm", "tac", "gray")
    ROW_FIELD_NUMBER: _ClassVar[int]
    CARD_COUNTER_FIELD_NUMBER: _ClassVar[int]
    BALANCE_BEFORE_FEN_FIELD_NUMBER: _ClassVar[int]
    SAM_TERMINAL_NO_FIELD_NUMBER: _ClassVar[int]
    SAM_SEQ_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    KEY_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    TAC_FIELD_NUMBER: _ClassVar[int]
    GRAY_FIELD_NUMBER: _ClassVar[int]
    row: _containers.RepeatedScalarFieldContainer[int]
    card_counter: _containers.RepeatedScalarFieldContainer[int]
    balance_before_fen: _containers.RepeatedScalarFieldContainer[int]
    sam_terminal_no: _containers.RepeatedScalarFieldContainer[int]
    sam_seq: _containers.RepeatedScalarFieldContainer[int]
    transaction_type: _containers.RepeatedScalarFieldContainer[int]
    key_version: _containers.RepeatedScalarFieldContainer[int]
    algorithm: _containers.RepeatedScalarFieldContainer[int]
    tac: _containers.RepeatedScalarFieldContainer[int]
    gray: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, row: _Optional[_Iterable[int]] = ..., card_counter: _Optional[_Iterable[int]] = ..., balance_before_fen: _Optional[_Iterable[int]] = ..., sam_terminal_no: _Optional[_Iterable[int]] = ..., sam_seq: _Optional[_Iterable[int]] = ..., transaction_type: _Optional[_Iterable[int]] = ..., key_version: _Optional[_Iterable[int]] = ..., algorithm: _Optional[_Iterable[int]] = ..., tac: _Optional[_Iterable[int]] = ..., gray: _Optional[_Iterable[bool]] = ...) -> None: ...

class PayCodes(_message.Message):
    __slots__ = ("row", "code")
    ROW_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    row: _containers.RepeatedScalarFieldContainer[int]
    code: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, row: _Optional[_Iterable[int]] = ..., code: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PayCodeKeys(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[PayCodeKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[PayCodeKey, _Mapping]]] = ...) -> None: ...

class PayCodeKey(_message.Message):
    __slots__ = ("key_no", "public_key")
    KEY_NO_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    key_no: int
    public_key: bytes
    def __init__(self, key_no: _Optional[int] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class ChipLoad(_message.Message):
    __slots__ = ("step", "terminal_id", "terminal_seq", "card_no", "amount_fen", "occurred_at_us", "transaction_type", "sam_terminal_no", "old_balance_fen", "online_counter", "key_version", "algorithm", "random", "mac1", "tac")
    class Step(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STEP_UNSPECIFIED: _ClassVar[ChipLoad.Step]
        REQUEST: _ClassVar[ChipLoad.Step]
        CONFIRM: _ClassVar[ChipLoad.Step]
        NOT_WRITTEN: _ClassVar[ChipLoad.Step]
    STEP_UNSPECIFIED: ChipLoad.Step
    REQUEST: ChipLoad.Step
    CONFIRM: ChipLoad.Step
    NOT_WRITTEN: ChipLoad.Step
    STEP_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_ID_FIELD_NUMBER: _ClassVar[int]
    TERMINAL_SEQ_FIELD_NUMBER: _ClassVar[int]
    CARD_NO_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FEN_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_US_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    SAM_TERMINAL_NO_FIELD_NUMBER: _ClassVar[int]
    OLD_BALANCE_FEN_FIELD_NUMBER: _ClassVar[int]
    ONLINE_COUNTER_FIELD_NUMBER: _ClassVar[int]
    KEY_VERSION_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    RANDOM_FIELD_NUMBER: _ClassVar[int]
    MAC1_FIELD_NUMBER: _ClassVar[int]
    TAC_FIELD_NUMBER: _ClassVar[int]
    step: ChipLoad.Step
    terminal_id: int
    terminal_seq: int
    card_no: int
    amount_fen: int
    occurred_at_us: int
    transaction_type: int
    sam_terminal_no: int
    old_balance_fen: int
    online_counter: int
    key_version: int
    algorithm: int
    random: int
    mac1: int
    tac: int
    def __init__(self, step: _Optional[_Union[ChipLoad.Step, str]] = ..., terminal_id: _Optional[int] = ..., terminal_seq: _Optional[int] = ..., card_no: _Optional[int] = ..., amount_fen: _Optional[int] = ..., occurred_at_us: _Optional[int] = ..., transaction_type: _Optional[int] = ..., sam_terminal_no: _Optional[int] = ..., old_balance_fen: _Optional[int] = ..., online_counter: _Optional[int] = ..., key_version: _Optional[int] = ..., algorithm: _Optional[int] = ..., random: _Optional[int] = ..., mac1: _Optional[int] = ..., tac: _Optional[int] = ...) -> None: ...

class ChipLoadAnswer(_message.Message):
    __slots__ = ("code", "mac2", "host_time_us", "balance_fen", "transfer_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MAC2_FIELD_NUMBER: _ClassVar[int]
    HOST_TIME_US_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FEN_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_ID_FIELD_NUMBER: _ClassVar[int]
    code: int
    mac2: int
    host_time_us: int
    balance_fen: int
    transfer_id: int
    def __init__(self, code: _Optional[int] = ..., mac2: _Optional[int] = ..., host_time_us: _Optional[int] = ..., balance_fen: _Optional[int] = ..., transfer_id: _Optional[int] = ...) -> None: ...

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
