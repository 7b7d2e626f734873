"""Key bytes that do not show: `KeyBytes` hides or refuses wherever text is usually made of a value, `guarded` keeps frames in.

Python cannot wipe memory and a debugger sees everything; this is against the usual ways out: logs, tracebacks, reprs, pickles.
"""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, NoReturn, ParamSpec, SupportsIndex, TypeVar

from onecard.kernel.errors import OneCardError
from onecard.services.keys.errors import KeeperFault

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


class KeyBytes(bytes):
    """Bytes of a key. Ciphers take them as bytes, parts of them hide too; never printed, formatted, pickled or put into hex."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<key, {len(self)} bytes>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a key is not pickled or copied")

    def hex(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        raise TypeError("a key has no readable form")

    def decode(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        raise TypeError("a key is not text")

    def __getitem__(self, at: Any) -> Any:
        part = bytes.__getitem__(self, at)
        return KeyBytes(part) if isinstance(at, slice) else part

    def __add__(self, other: Any) -> "KeyBytes":
        return KeyBytes(bytes.__add__(self, other))

    def __mul__(self, times: SupportsIndex) -> "KeyBytes":
        return KeyBytes(bytes.__mul__(self, times))


def guarded(operation: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """An operation of a keeper: whatever breaks inside leaves without its message, its frames and its context.

    A frame inside a keeper can have a clear key among its locals, and error reporters render locals.
    """

    @functools.wraps(operation)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        refusal: OneCardError
        try:
            return operation(self, *args, **kwargs)
        except OneCardError as error:
            refusal = error.with_traceback(None)
        except Exception as error:
            refusal = KeeperFault(*_describe(operation.__name__, error))
        # Outside of the handler: an exception raised in it would carry the old one, frames and all, as its context.
        refusal.__context__ = refusal.__cause__ = None
        raise refusal

    return run


def _describe(operation: str, error: BaseException) -> tuple[str, str]:
    """Kind and place; the message of a foreign exception may quote what it was given."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else "?"
    what = f"{type(error).__name__} ({place})"
    return f"密钥保管操作 {operation} 失败：{what}", f"the keeper's operation {operation} failed: {what}"
