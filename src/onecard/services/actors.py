"""Who does something: handed to every service call that a permission guards and that is written down with a name."""

from dataclasses import dataclass, field

from onecard.kernel.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or a process, with the permissions it carries; `operators` None means all of them.

    Permissions are `<domain>.<verb>` (`cards.replace`); `*` carries all. Consoles and REST make one from who is signed in, the
    command line and the worker act as `Actor.system`.
    """

    name: str
    permissions: frozenset[str] = field(default=frozenset(), repr=False)
    operators: frozenset[int] | None = None

    @classmethod
    def system(cls, name: str) -> "Actor":
        """One that may do everything: the command line on the platform's own machine, or a worker."""
        return cls(name, frozenset({"*"}))

    def may(self, permission: str, operator_id: int | None = None) -> bool:
        """Whether the permission is carried, and for this operator where one is given."""
        held = permission in self.permissions or "*" in self.permissions
        return held and (operator_id is None or self.operators is None or operator_id in self.operators)

    def require(self, permission: str, operator_id: int | None = None) -> None:
        """Raises Forbidden unless `may`."""
        if not self.may(permission, operator_id):
            raise Forbidden(f"{self.name} 无权限：{permission}", f"{self.name} lacks the permission {permission}")

    def require_platform(self, permission: str) -> None:
        """For acts on the whole city: raises Forbidden also for one who is bound to operators (N3)."""
        self.require(permission)
        if self.operators is not None:
            raise Forbidden(
                f"{self.name} 仅限本运营单位，此操作针对全平台",
                f"{self.name} is bound to operators; this is an act of the platform",
            )
