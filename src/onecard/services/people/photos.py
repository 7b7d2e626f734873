"""Photos of cardholders: bytes whose kind is told from the content, never from a name or a declared type. At most 200 KB."""

import struct
from dataclasses import dataclass

from onecard.kernel.errors import InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.people.models import MAX_PHOTO_BYTES, Holder, HolderPhoto

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_SIDE = 5000
# Start of frame, without the arithmetic and lossless kinds that no browser shows: baseline, extended, progressive.
_JPEG_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, slots=True)
class Picture:
    """What the content says of itself."""

    media_type: str
    width: int
    height: int


def set_photo(holder_id: int, content: bytes, *, actor: Actor) -> Picture:
    """Keep a JPEG or PNG as the holder's photo. Raises Forbidden, NotFound, InvalidInput for what is neither, or too large."""
    holder = Holder.objects.filter(pk=holder_id).first()
    if holder is None:
        raise NotFound(f"无此持卡人：{holder_id}", f"no such cardholder: {holder_id}")
    actor.require("people.change", holder.operator_id)
    picture = inspect_picture(content)
    HolderPhoto.objects.update_or_create(
        holder=holder,
        defaults={
            "content": content,
            "media_type": picture.media_type,
            "width": picture.width,
            "height": picture.height,
            "changed_by": actor.name[:100],
        },
    )
    return picture


def photo(holder_id: int) -> tuple[bytes, str] | None:
    """The picture and its media type, or None."""
    found = HolderPhoto.objects.filter(holder_id=holder_id).first()
    return (bytes(found.content), found.media_type) if found else None


def inspect_picture(content: bytes) -> Picture:
    """Kind and size, read from the content. Raises InvalidInput."""
    if len(content) > MAX_PHOTO_BYTES:
        raise InvalidInput(f"照片最大 {MAX_PHOTO_BYTES // 1024} KB", f"a photo has {MAX_PHOTO_BYTES // 1024} KB at the most")
    size = _png_size(content) if content.startswith(_PNG) else _jpeg_size(content) if content[:2] == b"\xff\xd8" else None
    if size is None:
        raise InvalidInput("照片须为完整的 JPEG 或 PNG 图片", "a photo is a whole JPEG or PNG picture")
    width, height = size
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE):
        raise InvalidInput(f"照片边长须为 1 至 {_MAX_SIDE} 像素", f"a photo's sides have 1 to {_MAX_SIDE} pixels")
    return Picture("image/png" if content.startswith(_PNG) else "image/jpeg", width, height)


def _png_size(content: bytes) -> tuple[int, int] | None:
    """The header chunk comes first, the end chunk last and nothing behind it."""
    if len(content) < 45 or content[12:16] != b"IHDR" or content[-12:] != b"\0\0\0\0IEND\xaeB`\x82":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walks the segments to the frame's header; the end mark must stand at the end."""
    if not content.endswith(b"\xff\xd9"):
        return None
    at = 2
    while at + 9 <= len(content):
        if content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _JPEG_STANDALONE:
            at += 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return None
