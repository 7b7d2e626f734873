"""Money is a whole number of fen (分). No float comes near it, and every division says in its name how it rounds."""

import re

FEN_PER_YUAN = 100
_YUAN = re.compile(r"(-?)(\d{1,15})(?:\.(\d{1,2}))?", re.ASCII)


def parse_yuan(text: str) -> int:
    """Fen of a decimal yuan amount such as ``12``, ``12.5`` or ``-0.05``.

    Raises ValueError on anything else: more than two decimals, exponents, separators, signs other than one leading minus.
    """
    match = _YUAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an amount in yuan: {text!r}")
    sign, yuan, fraction = match.groups()
    fen = int(yuan) * FEN_PER_YUAN + int((fraction or "0").ljust(2, "0"))
    return -fen if sign else fen


def format_yuan(fen: int, *, grouped: bool = False) -> str:
    """``-1234567`` as ``-12345.67``, or ``-12,345.67`` when grouped."""
    yuan, rest = divmod(abs(fen), FEN_PER_YUAN)
    body = f"{yuan:,}" if grouped else str(yuan)
    return f"{'-' if fen < 0 else ''}{body}.{rest:02d}"


def per_mille_floor(amount_fen: int, per_mille: int, *, carry_millifen: int = 0) -> tuple[int, int]:
    """Fen of `per_mille` of an amount, rounded down, and the thousandths of a fen left over.

    The remainder (0…999) is handed back so that the caller can carry it: nothing is lost over many calls. Floor also for
    negative amounts, so the pair always satisfies ``fen * 1000 + rest == amount * per_mille + carry``.
    """
    return divmod(amount_fen * per_mille + carry_millifen, 1000)
