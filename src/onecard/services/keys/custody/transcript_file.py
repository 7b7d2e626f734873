"""The file of a ceremony's transcript: JSON for programs, the same in words for people, signed with Ed25519. Pure.

It never holds a component or a key. `check` needs the file alone and says which public key it holds good under; whether that is
this vault's, `transcript.is_ours` knows.
"""

import json
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from onecard.kernel.errors import InvalidInput
from onecard.protocol.purse.ciphers import Algorithm
from onecard.services.keys.custody.components import Scheme
from onecard.services.keys.uses import KeyUse, name_of

FORMAT = "onecard-key-ceremony-1"
_ACTS = {
    "opened": "开始仪式 opened",
    "entered": "录入分量 component entered",
    "given": "发放分量 component handed out",
    "confirmed": "确认分量 component confirmed",
    "combined": "合成密钥 combined",
    "ended early": "提前结束 ended early",
    "aborted": "中止 aborted",
}


@dataclass(frozen=True, slots=True)
class Checked:
    """A transcript whose signature holds: under which public key (hex), and in words."""

    public_key: str
    document: dict[str, Any]
    text: str


def build(document: str, *, public_key: bytes, signature: bytes) -> str:
    """The file: `document` is the exact text that was signed."""
    file = {
        "transcript": document,
        "signature": {"algorithm": "Ed25519", "public_key": public_key.hex(), "value": signature.hex()},
        "text": in_words(json.loads(document)).splitlines(),
    }
    return json.dumps(file, ensure_ascii=False, indent=2) + "\n"


def check(file: str) -> Checked:
    """Check a transcript file: its signature, and that the words say what was signed. Raises InvalidInput."""
    try:
        data = json.loads(file)
        signed, signature = str(data["transcript"]), data["signature"]
        public_key, value = bytes.fromhex(signature["public_key"]), bytes.fromhex(signature["value"])
        document = json.loads(signed)
        text = in_words(document)
        told = "\n".join(data["text"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput("不是仪式记录书文件", f"this is no transcript file ({type(error).__name__})") from None
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(value, signed.encode())
    except (InvalidSignature, ValueError):
        raise InvalidInput("记录书签名不符：内容被改动过", "the signature does not hold: the transcript was changed") from None
    if told != text:
        raise InvalidInput("记录书文字与签名内容不一致", "the words differ from what was signed")
    return Checked(public_key.hex(), document, text)


def in_words(document: dict[str, Any]) -> str:
    """A transcript's content for people to read."""
    scheme = Scheme(document["threshold"], document["count"])
    name = name_of(KeyUse(document["use"]))
    lines = [
        f"密钥仪式记录书 Transcript of key ceremony #{document['ceremony']}",
        f"用途 Use: {name.zh} {name.en}    版本 Version: {document['version'] or '-'}"
        f"    算法 Algorithm: {Algorithm(document['algorithm']).name}    方案 Scheme: {scheme}",
        f"主持 Opened by: {document['opened_by']}    结果 Result: {document['state']}    校验值 KCV: {document['kcv'] or '-'}",
        "保管人 Custodians:",
    ]
    lines += [
        f"  {row['number']}. {row['custodian']}    校验值 check value: {row['check_value'] or '-'}"
        for row in document["custodians"]
    ]
    lines.append("经过 Log:")
    lines += [f"  {row['at']}  {row['who']}  {_ACTS.get(row['act'], row['act'])}  {row['detail']}" for row in document["log"]]
    return "\n".join(lines)
