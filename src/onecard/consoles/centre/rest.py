"""What REST asks of the centre: who a session or a token stands for, and a row in the audit log.

REST finds these functions by the setting `API_IDENTITY`, since it may not import a console. An actor's name is the user's own
with either: a rule that asks for a second person is not satisfied by the first person's program.
"""

from auditlog.models import LogEntry
from django.contrib.auth.models import User
from django.http import HttpRequest

from onecard.consoles.centre import identity
from onecard.consoles.centre.models import StaffAccount, StaffToken
from onecard.consoles.centre.permissions import TWO_PERSON
from onecard.consoles.centre.tokens import find_token
from onecard.services.actors import Actor


def of_session(request: HttpRequest) -> Actor | None:
    """Who has signed in by the session's cookie; None for nobody, and for one whose password must be changed first."""
    user = request.user
    if not isinstance(user, User) or not user.is_active or not user.is_staff:
        return None
    if StaffAccount.objects.filter(user_id=user.pk, password_must_change=True).exists():
        return None
    return identity.of_request(request)


def of_token(request: HttpRequest, text: str) -> Actor | None:
    """The user of a presented token, with no more than the token's permissions; the request is that user's from then on."""
    token = find_token(text)
    if token is None:
        return None
    request.user = token.user
    request.onecard_token = token  # type: ignore[attr-defined]
    own = identity.actor_of(token.user)
    carried = own.permissions & frozenset(token.permissions)
    if token.created_by != own.name:  # one of the days when tokens were given out by others
        carried -= TWO_PERSON
    return Actor(own.name, carried, own.operators)


def record_call(request: HttpRequest, *, call: str, answer: int) -> None:
    """A row in the audit log: what was asked for over REST, by whom, through which program, with which answer."""
    token = getattr(request, "onecard_token", None)
    user = request.user
    assert isinstance(user, User), "a call that was let in is somebody's"
    row = token if isinstance(token, StaffToken) else StaffAccount.objects.filter(user_id=user.pk).first() or user
    LogEntry.objects.log_create(
        row,
        force_log=True,
        action=LogEntry.Action.UPDATE,
        actor=user,
        additional_data={"act": "called over REST", "call": call, "answer": answer},
    )
