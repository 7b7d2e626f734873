"""Files between two steps of a form: in the home's spool under a random name that only the session knows, for a day at most."""

import re
import secrets
import time
from pathlib import Path
from typing import IO

from django.http import HttpRequest

from onecard.datacenter.home import Home, own_folder
from onecard.kernel.errors import InvalidInput, NotFound

MOST_BYTES = 256 * 1024 * 1024
_KEPT_S = 24 * 60 * 60
_CHUNK = 1024 * 1024
_NAME = re.compile(r"[\w-]{43}")
_SESSION = "uploads"


def keep(request: HttpRequest, file: IO[bytes], name: str) -> str:
    """Keep a file for the next step; gives the word that names it. Raises InvalidInput for one that is too large."""
    folder = _folder()
    _clear(folder)
    word = secrets.token_urlsafe(32)
    path = folder / word
    written = 0
    with path.open("xb") as out:
        path.chmod(0o600)
        while chunk := file.read(_CHUNK):
            written += len(chunk)
            if written > MOST_BYTES:
                path.unlink()
                limit = MOST_BYTES // 1024 // 1024
                raise InvalidInput(f"文件超过 {limit} MB", f"the file has more than {limit} MB")
            out.write(chunk)
    request.session[_SESSION] = {**request.session.get(_SESSION, {}), word: name[:200]}
    return word


def kept(request: HttpRequest, word: str) -> tuple[Path, str]:
    """The file of a word and its own name. Raises NotFound for a word of another session, or a file that is gone."""
    names = request.session.get(_SESSION, {})
    path = _folder() / word if _NAME.fullmatch(word) else None
    if path is None or word not in names or not path.exists():
        raise NotFound("文件已不在，请重新上传", "the file is gone: upload it again")
    return path, names[word]


def forget(request: HttpRequest, word: str) -> None:
    """The file has served."""
    names = dict(request.session.get(_SESSION, {}))
    if names.pop(word, None) is not None:
        request.session[_SESSION] = names
        (_folder() / word).unlink(missing_ok=True)


def _folder() -> Path:
    home = Home.from_environment()
    home.prepare()
    folder = home.spool / "centre"
    own_folder(folder, 0o700)
    return folder


def _clear(folder: Path) -> None:
    """What was left behind by forms nobody finished."""
    for path in folder.iterdir():
        if path.stat().st_mtime < time.time() - _KEPT_S:
            path.unlink(missing_ok=True)
