"""The staff of the management centre: making, changing and shutting out users, and giving out one-time passwords."""

from collections.abc import Iterable

from django.contrib.auth.models import Group, User
from django.db import transaction

from onecard.consoles.centre.api import one_time_password
from onecard.consoles.centre.models import StaffAccount, StaffOperator
from onecard.consoles.centre.roles import Role
from onecard.consoles.centre.tokens import revoke_tokens_of
from onecard.kernel.errors import InvalidInput, RuleViolated


def create_staff(username: str, role: Role, *, name: str = "", operators: Iterable[int] = ()) -> tuple[User, str]:
    """A new user of a role, bound to operators or to none, and the one-time password.

    Raises InvalidInput for a name that differs from another's in case alone, and RuleViolated as `bind` does.
    """
    if name_is_taken(username):
        raise InvalidInput(f"用户名已存在（不分大小写）：{username}", f"the user name is taken, whatever its case: {username}")
    password = one_time_password()
    with transaction.atomic():
        user = User.objects.create_user(username, password=password, is_staff=True, first_name=name)
        user.groups.set([Group.objects.get(name=str(role))])
        StaffAccount.objects.create(user=user)
        bind(user, role, operators)
    return user, password


def name_is_taken(username: str) -> bool:
    """Whether a user has this name in any case: people could not tell the two apart where a rule asks for a second person."""
    return User.objects.filter(username__iexact=User.normalize_username(username)).exists()


def bind(user: User, role: Role, operators: Iterable[int]) -> tuple[set[int], set[int]]:
    """Have a user see these operators alone, or with none of them all; gives who it was before and is now.

    Raises RuleViolated for an administrator: what he changes is everybody's.
    """
    account, _created = StaffAccount.objects.get_or_create(user=user, defaults={"password_must_change": False})
    before, wanted = set(account.bindings.values_list("operator_id", flat=True)), set(operators)
    if wanted and role == Role.ADMINISTRATOR:
        raise RuleViolated("管理员不能限定运营单位", "an administrator is not bound to operators", rule="N3")
    account.bindings.exclude(operator_id__in=wanted).delete()
    StaffOperator.objects.bulk_create(StaffOperator(staff=account, operator_id=operator) for operator in wanted - before)
    return before, wanted


def change_staff(user: User, role: Role, *, name: str, active: bool, by: User, operators: Iterable[int] | None = None) -> User:
    """Change a user's name, role or standing, and where given the operators; who is shut out loses the tokens for good.

    Raises RuleViolated for taking the own rights away: somebody must be able to give them back.
    """
    if user.pk == by.pk and (not active or role != Role.ADMINISTRATOR):
        raise RuleViolated(
            "不能停用自己或取消自己的管理员角色", "you cannot shut yourself out or give up your own role", rule="W1"
        )
    with transaction.atomic():
        user.first_name, user.is_active = name, active
        user.save(update_fields=["first_name", "is_active"])
        if not active:
            revoke_tokens_of(user)
        if set(user.groups.values_list("name", flat=True)) != {str(role)}:
            user.groups.set([Group.objects.get(name=str(role))])
        if operators is not None:
            bind(user, role, operators)
    return user


def reset_password(user: User) -> str:
    """A new one-time password; the old one stops working at once, and so do the user's sessions and tokens."""
    password = one_time_password()
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        StaffAccount.objects.update_or_create(user=user, defaults={"password_must_change": True})
        revoke_tokens_of(user)
    return password


def role_of(user: User) -> Role | None:
    """The role of a user; None for a user of no role of ours."""
    names = set(user.groups.values_list("name", flat=True))
    return next((role for role in Role if str(role) in names), None)
