"""What others call of the management centre: making the first administrator."""

import secrets
import string

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from onecard.consoles.centre.models import StaffAccount
from onecard.consoles.centre.roles import Role, sync_roles

# Without characters that people mistake for one another when they copy it from a screen.
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0OoIl1")))
_LENGTH = 16


def ensure_admin(username: str) -> str | None:
    """Make an administrator who must change the password at the first sign-in.

    Hands back the one-time password, or None when the user is there already (nothing is changed then). Needs a configured Django
    and a migrated database.
    """
    user_model = get_user_model()
    with transaction.atomic():
        sync_roles()
        if user_model.objects.filter(username=username).exists():
            return None
        password = one_time_password()
        user = user_model.objects.create_user(username, password=password, is_staff=True)
        user.groups.add(Group.objects.get(name=str(Role.ADMINISTRATOR)))
        StaffAccount.objects.create(user=user, password_must_change=True)
    return password


def one_time_password() -> str:
    """A random password to be handed over once."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
