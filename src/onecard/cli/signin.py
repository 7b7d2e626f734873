"""Signing in on the command line: what takes a person asks for the user name and password of the management centre."""

import getpass
import sys
from typing import TYPE_CHECKING

from onecard.kernel.errors import Forbidden, InvalidInput

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from onecard.services.actors import Actor


def sign_in(user: str | None) -> "Actor":
    """The person behind a user name of the management centre, proved by the password, which is asked for and not shown.

    Wrong passwords count towards the same lock-out as in a browser; a one-time password is replaced at once. Raises Forbidden,
    InvalidInput.
    """
    from django.contrib.auth import authenticate
    from django.contrib.auth.models import User
    from django.contrib.auth.signals import user_logged_in
    from django.http import HttpRequest

    from onecard.consoles.centre.identity import actor_of
    from onecard.consoles.centre.models import StaffAccount

    name = user or ask("用户 user: ")
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = "127.0.0.1"
    found = authenticate(request, username=name, password=ask_hidden(f"{name} 的密码 password: "))
    if not isinstance(found, User) or not found.is_staff:
        raise Forbidden("用户名或密码错误，或登录已锁定", "wrong user name or password, or signing in is locked")
    if StaffAccount.objects.filter(user_id=found.pk, password_must_change=True).exists():
        _choose_password(found)
    user_logged_in.send(type(found), request=request, user=found)  # what clears the counter of wrong passwords
    return actor_of(found)


def _choose_password(user: "User") -> None:
    """A password of one's own instead of the one-time one, by the management centre's rules. Raises InvalidInput."""
    from django.utils.translation import override

    from onecard.consoles.centre.forms import OwnPasswordForm

    new = ask_hidden("请设置自己的密码 choose a password of your own: ")
    again = ask_hidden("再输入一次 once more: ")
    told = []
    for language in ("zh-hans", "en"):
        with override(language):
            form = OwnPasswordForm(user, {"old_password": "", "new_password1": new, "new_password2": again})
            del form.fields["old_password"]  # just proved by signing in
            told.append(" ".join(str(error) for errors in form.errors.values() for error in errors))
    if not form.is_valid():
        raise InvalidInput(told[0], told[1])
    form.save()


def ask(prompt: str) -> str:
    """A line typed in. Raises InvalidInput at the end of the input."""
    try:
        return input(prompt).strip()
    except EOFError:
        raise InvalidInput("输入已结束", "the input has ended") from None


def ask_hidden(prompt: str) -> str:
    """A line typed in without being shown. Raises InvalidInput where there is no terminal: nothing secret goes through a pipe."""
    if not sys.stdin.isatty():
        raise InvalidInput(
            "须在终端上输入：密码与分量不经管道", "this needs a terminal: passwords and components go through no pipe"
        )
    try:
        return getpass.getpass(prompt).strip()
    except EOFError:
        raise InvalidInput("输入已结束", "the input has ended") from None
