"""What the management centre keeps of its own: the staff's standing and operators, and the tokens of programs.

The capabilities that roles are made of stand in roles.py and become rows of Django's permissions there.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class StaffAccount(models.Model):
    """What the platform knows of a user beyond Django's own row: the one-time password's state, and the operators he sees."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="staff_account")
    password_must_change = models.BooleanField(_("must change the password"), default=True)
    operators = models.ManyToManyField(
        "operators.Operator", through="StaffOperator", related_name="+", verbose_name=_("operators")
    )

    class Meta:
        default_permissions = ()
        verbose_name = _("staff account")
        verbose_name_plural = _("staff accounts")

    def __str__(self) -> str:
        return str(self.user)


class StaffOperator(models.Model):
    """One operator a user is bound to. Bound to none, a user sees the whole platform; to some, those alone (N3)."""

    staff = models.ForeignKey(StaffAccount, models.CASCADE, related_name="bindings")
    operator = models.ForeignKey("operators.Operator", models.PROTECT, related_name="+", verbose_name=_("operator"))

    class Meta:
        default_permissions = ()
        verbose_name = verbose_name_plural = _("operator of a user")
        constraints = (models.UniqueConstraint(fields=("staff", "operator"), name="staff_operator"),)

    def __str__(self) -> str:
        return f"{self.staff_id} {self.operator_id}"


class StaffToken(models.Model):
    """A token by which a program acts for a user over REST: kept as a digest only, for some permissions, for some time.

    Its user has issued it himself. It never carries more than that user's roles carry at that moment. A row is revoked, not
    deleted: the audit log names it.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens", verbose_name=_("User"))
    name = models.CharField(_("Name of the program"), max_length=60)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(_("Ends in"), max_length=4)
    permissions = models.JSONField(_("Permissions"), default=list)
    created_by = models.CharField(_("Issued by"), max_length=150)
    created_at = models.DateTimeField(_("Issued"), auto_now_add=True)
    expires_at = models.DateTimeField(_("Valid until"))
    revoked_at = models.DateTimeField(_("Revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("Last used"), null=True, blank=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("Token")
        verbose_name_plural = _("Tokens")
        ordering = ("-id",)
        constraints = (models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="staff_token_expires"),)

    def __str__(self) -> str:
        return f"{self.name} …{self.hint}"
