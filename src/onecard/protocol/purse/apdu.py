"""Short APDUs as values: commands, responses, and the status words with their texts. Pure; nothing here knows the purse.

A command's `repr` shows its header and the length of its body only, so that a PIN does not reach a log by accident.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from onecard.kernel.codes import Text

MAX_BODY: Final = 255
MAX_ANSWER: Final = 256


@unique
class Status(IntEnum):
    """Status words that cards and SAMs of the purse answer with (standards 1.9)."""

    OK = 0x9000
    WARNING_MEMORY = 0x6281
    APPLICATION_INVALID = 0x6283
    MEMORY_ERROR = 0x6581
    WRONG_LENGTH = 0x6700
    NO_SECURE_MESSAGING = 0x6882
    WRONG_FILE_TYPE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    KEY_LOCKED = 0x6983
    NO_CHALLENGE = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_FILE_SELECTED = 0x6986
    NO_MAC = 0x6987
    MAC_WRONG_IN_MESSAGING = 0x6988
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NO_SPACE = 0x6A84
    WRONG_P1P2 = 0x6A86
    REFERENCE_NOT_FOUND = 0x6A88
    ALREADY_EXISTS = 0x6A89
    WRONG_OFFSET = 0x6B00
    WRONG_INSTRUCTION = 0x6D00
    WRONG_CLASS = 0x6E00
    APPLICATION_BLOCKED_FOR_GOOD = 0x9303
    MAC_WRONG = 0x9302
    INSUFFICIENT_BALANCE = 0x9401
    COUNTER_EXHAUSTED = 0x9402
    KEY_INDEX_UNKNOWN = 0x9403
    NO_PROOF = 0x9406


STATUS_TEXT: Final[dict[Status, Text]] = {
    Status.OK: Text("成功", "Done"),
    Status.WARNING_MEMORY: Text("回送数据可能有误", "The data may be damaged"),
    Status.APPLICATION_INVALID: Text("应用已锁定", "The application is blocked"),
    Status.MEMORY_ERROR: Text("写存储器失败", "The memory could not be written"),
    Status.WRONG_LENGTH: Text("长度错误", "Wrong length"),
    Status.NO_SECURE_MESSAGING: Text("不支持安全报文", "Secure messaging is not supported here"),
    Status.WRONG_FILE_TYPE: Text("文件类型不符", "The file is of another type"),
    Status.SECURITY_NOT_SATISFIED: Text("安全状态不满足", "The security state does not allow it"),
    Status.KEY_LOCKED: Text("密钥或口令已锁死", "The key or PIN is locked"),
    Status.NO_CHALLENGE: Text("未取随机数", "No challenge was asked for"),
    Status.CONDITIONS_NOT_SATISFIED: Text("使用条件不满足", "The conditions of use are not satisfied"),
    Status.NO_FILE_SELECTED: Text("未选择文件", "No file is selected"),
    Status.NO_MAC: Text("缺少安全报文", "The command lacks its MAC"),
    Status.MAC_WRONG_IN_MESSAGING: Text("安全报文不正确", "The command's MAC or cipher is wrong"),
    Status.WRONG_DATA: Text("数据域不正确", "Wrong data"),
    Status.FUNCTION_NOT_SUPPORTED: Text("功能不支持或卡片已锁定", "Not supported, or the card is blocked"),
    Status.FILE_NOT_FOUND: Text("文件不存在", "No such file"),
    Status.RECORD_NOT_FOUND: Text("记录不存在", "No such record"),
    Status.NO_SPACE: Text("空间不足", "No space left"),
    Status.WRONG_P1P2: Text("参数 P1 P2 错误", "Wrong P1 P2"),
    Status.REFERENCE_NOT_FOUND: Text("密钥不存在", "No such key"),
    Status.ALREADY_EXISTS: Text("文件或密钥已存在", "The file or key exists already"),
    Status.WRONG_OFFSET: Text("偏移超出文件", "The offset lies beyond the file"),
    Status.WRONG_INSTRUCTION: Text("指令不支持", "Unknown instruction"),
    Status.WRONG_CLASS: Text("类别不支持", "Unknown class"),
    Status.APPLICATION_BLOCKED_FOR_GOOD: Text("应用已永久锁定", "The application is blocked for good"),
    Status.MAC_WRONG: Text("MAC 错误", "Wrong MAC"),
    Status.INSUFFICIENT_BALANCE: Text("卡内余额不足", "Not enough money on the card"),
    Status.COUNTER_EXHAUSTED: Text("交易序号已用完", "The transaction counter is used up"),
    Status.KEY_INDEX_UNKNOWN: Text("密钥索引不支持", "No key of that index or version"),
    Status.NO_PROOF: Text("无所需的 MAC 或 TAC", "No such MAC or TAC is kept"),
}


def status_text(sw: int) -> Text:
    """What a status word says, for people; those that carry a number included."""
    if sw in Status._value2member_map_:
        return STATUS_TEXT[Status(sw)]
    if (left := tries_left(sw)) is not None:
        return Text(f"认证失败，还可试 {left} 次", f"Refused; {left} more tries")
    if sw >> 8 == 0x61:
        return Text(f"还有 {sw & 0xFF} 字节可取", f"{sw & 0xFF} more bytes are waiting")
    if sw >> 8 == 0x6C:
        return Text(f"应答长度应为 {sw & 0xFF}", f"The answer has {sw & 0xFF} bytes")
    return Text(f"卡片返回 {sw:04X}", f"The card answers {sw:04X}")


def tries_left(sw: int) -> int | None:
    """The tries a refused PIN or key leaves (63Cx); None for another status word."""
    return sw & 0x0F if sw & 0xFFF0 == 0x63C0 else None


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """A short command APDU. `le` None asks for no answer data, 256 for whatever there is."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None

    def __post_init__(self) -> None:
        assert all(0 <= byte <= 0xFF for byte in (self.cla, self.ins, self.p1, self.p2))
        assert len(self.data) <= MAX_BODY
        assert self.le is None or 1 <= self.le <= MAX_ANSWER

    def __repr__(self) -> str:
        return f"Command({self.header.hex(' ').upper()}, {len(self.data)} bytes, le={self.le})"

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    @property
    def is_secured(self) -> bool:
        """Whether the class says secure messaging (x4)."""
        return self.cla & 0x0F == 0x04

    def __bytes__(self) -> bytes:
        body = bytes((len(self.data),)) + self.data if self.data else b""
        return self.header + body + (b"" if self.le is None else bytes((self.le & 0xFF,)))

    @classmethod
    def of(cls, header: bytes, data: bytes = b"", *, le: int | None = None) -> "Command":
        """A command with a header of four bytes."""
        cla, ins, p1, p2 = header
        return cls(cla, ins, p1, p2, data, le)

    @classmethod
    def parse(cls, raw: bytes) -> "Command":
        """The command in these bytes. Raises ValueError where they are no short APDU."""
        if len(raw) < 4:
            raise ValueError("shorter than a header")
        rest = raw[4:]
        if not rest:
            return cls.of(raw[:4])
        if len(rest) == 1:
            return cls.of(raw[:4], le=rest[0] or MAX_ANSWER)
        size = rest[0]
        if size == 0 or len(rest) not in (1 + size, 2 + size):
            raise ValueError("Lc does not fit")
        le = None if len(rest) == 1 + size else rest[1 + size] or MAX_ANSWER
        return cls.of(raw[:4], rest[1 : 1 + size], le=le)


@dataclass(frozen=True, slots=True)
class Response:
    """Answer data and status word."""

    data: bytes
    sw: int

    @property
    def is_ok(self) -> bool:
        """Whether the status word is 9000."""
        return self.sw == Status.OK

    @property
    def text(self) -> Text:
        """The status word for people."""
        return status_text(self.sw)

    def __bytes__(self) -> bytes:
        return self.data + self.sw.to_bytes(2, "big")

    @classmethod
    def parse(cls, raw: bytes) -> "Response":
        """The response in these bytes. Raises ValueError below two bytes."""
        if len(raw) < 2:
            raise ValueError("shorter than a status word")
        return cls(raw[:-2], int.from_bytes(raw[-2:], "big"))
