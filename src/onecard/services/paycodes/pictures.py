"""A payment code as a picture: SVG for pages, PNG for what shows no SVG."""

import io

import segno

_QUIET = 4  # modules around it, as ISO/IEC 18004 asks


def qr_svg(text: str, *, scale: int = 6) -> str:
    """An SVG element to stand in a page, dark on white whatever the page's colours."""
    return str(segno.make(text, error="m", micro=False).svg_inline(scale=scale, border=_QUIET, light="#fff"))


def qr_png(text: str, *, scale: int = 6) -> bytes:
    """A PNG file."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=scale, border=_QUIET)
    return out.getvalue()
