"""Who is signed in at a workstation: a unit, by its credential (O3), never a person of the management centre.

A request over a front-end's line may only be that line's unit. Wrong passwords are counted by name and address like everybody's.
"""

import time
from dataclasses import dataclass

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest

from onecard.consoles.lineunit import unit_of_line
from onecard.services.operators.api import check_unit_credential
from onecard.services.operators.choices import UnitState
from onecard.services.operators.models import Unit, UnitCredential

_KEY = "workstation"
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The unit, and whether the session began just now."""

    unit: Unit
    user_name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why somebody is not let in."""

    locked: bool = False
    other_unit: bool = False


def sign_in(request: HttpRequest, user_name: str, password: str) -> Refused | None:
    """Sign a unit in; None: it is in."""
    who = {"username": f"unit:{user_name[:_LONGEST_NAME]}"}
    if not AxesProxyHandler.is_allowed(request, who):
        return Refused(locked=True)
    unit_id = check_unit_credential(user_name, password)
    if unit_id is None:
        user_login_failed.send(sender=__name__, credentials=who, request=request)
        return Refused()
    line = unit_of_line(request)
    if line is not None and line != unit_id:
        return Refused(other_unit=True)
    issued_at = UnitCredential.objects.values_list("issued_at", flat=True).get(pk=unit_id)
    now = int(time.time())
    request.session.cycle_key()
    request.session[_KEY] = {"unit": unit_id, "credential": issued_at.isoformat(), "since": now, "seen": now}
    return None


def signed_in(request: HttpRequest) -> SignedIn | None:
    """The unit that is signed in; None where nobody is, its credential was made anew, or the line is another unit's."""
    held = request.session.get(_KEY)
    if held is None:
        return None
    found = UnitCredential.objects.select_related("unit__operator").filter(pk=held["unit"]).first()
    now, line = int(time.time()), unit_of_line(request)
    over = now - held["seen"] > settings.SESSION_IDLE_SECONDS or now - held["since"] > settings.SESSION_COOKIE_AGE
    known = found is not None and found.issued_at.isoformat() == held["credential"] and found.unit.state != UnitState.CLOSED
    if over or found is None or not known or (line is not None and line != held["unit"]):
        sign_out(request)
        return None
    if "poll" not in request.GET and now - held["seen"] > 60:
        request.session[_KEY] = held | {"seen": now}
    return SignedIn(found.unit, found.user_name)


def sign_out(request: HttpRequest) -> None:
    """Forget who was signed in here; somebody signed in to another console stays."""
    request.session.pop(_KEY, None)
