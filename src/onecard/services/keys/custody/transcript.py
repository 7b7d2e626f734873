"""Transcripts of ceremonies that have ended: who did what when, check values, the result; signed with a key of the vault."""

import json
from typing import Any

from onecard.kernel.business_day import PLATFORM_ZONE
from onecard.kernel.errors import NotFound
from onecard.services.keys.custody import seam, transcript_file
from onecard.services.keys.models.custody import Ceremony, Transcript


def write(ceremony: Ceremony) -> Transcript:
    """Sign and keep the transcript of a ceremony; called in the transaction that ends it."""
    document = json.dumps(_document(ceremony), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    public_key, signature = seam.sign_transcript(document.encode())
    return Transcript.objects.create(ceremony=ceremony, document=document, public_key=public_key, signature=signature)


def dump(ceremony_id: int) -> str:
    """The transcript as a file. Raises NotFound while the ceremony goes on."""
    found = Transcript.objects.filter(pk=ceremony_id).first()
    if found is None:
        raise NotFound(f"仪式 {ceremony_id} 尚无记录书", f"ceremony {ceremony_id} has no transcript yet")
    return transcript_file.build(found.document, public_key=bytes(found.public_key), signature=bytes(found.signature))


def is_ours(checked: transcript_file.Checked) -> bool:
    """Whether this vault signed it."""
    return any(key.hex() == checked.public_key for key in seam.transcript_keys())


def _document(ceremony: Ceremony) -> dict[str, Any]:
    return {
        "format": transcript_file.FORMAT,
        "ceremony": ceremony.pk,
        "use": str(ceremony.use),
        "version": ceremony.version,
        "algorithm": int(ceremony.algorithm),
        "threshold": ceremony.threshold,
        "count": ceremony.count,
        "state": str(ceremony.state),
        "kcv": ceremony.kcv,
        "expected_kcv": ceremony.expected_kcv,
        "key": ceremony.key_id,
        "opened_by": ceremony.opened_by,
        "custodians": [
            {"number": row.number, "custodian": row.custodian, "check_value": row.check_value, "made_here": row.made_here}
            for row in ceremony.components.order_by("number")
        ],
        "log": [
            {
                "at": event.at.astimezone(PLATFORM_ZONE).isoformat(timespec="seconds"),
                "who": event.who,
                "act": event.act,
                "detail": event.detail,
            }
            for event in ceremony.events.order_by("id")
        ],
    }
