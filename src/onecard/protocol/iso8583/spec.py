"""Field coding of the 银联 POS profile for pyiso8583 (standards 2.1, 2.5). Data only."""

from typing import Any

FieldSpec = dict[str, Any]


def _binary(size: int, desc: str) -> FieldSpec:
    return {"data_enc": "b", "len_enc": "bcd", "len_type": 0, "max_len": size, "desc": desc}


def _ascii(size: int, desc: str) -> FieldSpec:
    return {"data_enc": "ascii", "len_enc": "ascii", "len_type": 0, "max_len": size, "desc": desc}


def _digits(size: int, desc: str, *, length_bytes: int = 0, pad: str = "left_pad") -> FieldSpec:
    """Packed BCD whose length counts digits."""
    return {
        "data_enc": "b",
        "len_enc": "bcd",
        "len_type": length_bytes,
        "len_count": "nibbles",
        pad: "0",
        "max_len": size,
        "desc": desc,
    }


def _text(size: int, desc: str, *, length_bytes: int) -> FieldSpec:
    return {"data_enc": "latin-1", "len_enc": "bcd", "len_type": length_bytes, "max_len": size, "desc": desc}


def _bytes(size: int, desc: str, *, length_bytes: int) -> FieldSpec:
    return {"data_enc": "b", "len_enc": "bcd", "len_type": length_bytes, "max_len": size, "desc": desc}


RIGHT = "right_pad"

SPEC: dict[str, FieldSpec] = {
    "h": _binary(11, "TPDU and header"),
    "t": _binary(2, "message type"),
    "p": _binary(8, "bitmap"),
    "2": _digits(19, "card number 主账号", length_bytes=1, pad=RIGHT),
    "3": _digits(6, "processing code 交易处理码"),
    "4": _digits(12, "amount in fen 交易金额"),
    "11": _digits(6, "STAN 受卡方系统跟踪号"),
    "12": _digits(6, "local time hhmmss"),
    "13": _digits(4, "local date MMDD"),
    "14": _digits(4, "card expiry"),
    "15": _digits(4, "settlement date"),
    "22": _digits(3, "entry mode 输入方式", pad=RIGHT),
    "23": _digits(3, "card sequence"),
    "25": _digits(2, "condition code 服务点条件码"),
    "26": _digits(2, "PIN length"),
    "32": _digits(11, "acquirer", length_bytes=1, pad=RIGHT),
    "35": _digits(37, "track 2", length_bytes=1, pad=RIGHT),
    "36": _digits(104, "track 3", length_bytes=2, pad=RIGHT),
    "37": _ascii(12, "RRN 检索参考号"),
    "38": _ascii(6, "authorisation code 授权码"),
    "39": _ascii(2, "answer code 应答码"),
    "41": _ascii(8, "terminal 终端标识"),
    "42": _ascii(15, "merchant 商户标识"),
    "44": _text(25, "additional answer data", length_bytes=1),
    "48": _digits(322, "settlement totals or offline details", length_bytes=2, pad=RIGHT),
    "49": _ascii(3, "currency"),
    "52": _binary(8, "PIN block"),
    "53": _digits(16, "security control"),
    "54": _text(20, "balance 余额", length_bytes=2),
    "55": _bytes(255, "chip data", length_bytes=2),
    "58": _text(100, "purse data", length_bytes=2),
    "59": _text(600, "reserved", length_bytes=2),
    "60": _digits(17, "type, batch, network code 自定义域", length_bytes=2, pad=RIGHT),
    "61": _digits(29, "original batch, STAN, date 原始信息", length_bytes=2, pad=RIGHT),
    "62": _text(512, "working keys or per-record answers", length_bytes=2),
    "63": _text(163, "operator", length_bytes=2),
    "64": _binary(8, "MAC"),
}
