"""What the management centre keeps of its own: the staff's standing, and the capabilities that roles are made of."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class StaffAccount(models.Model):
    """What the platform knows of a user beyond Django's own row: whether the one-time password still has to be changed."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="staff_account")
    password_must_change = models.BooleanField(_("must change the password"), default=True)

    class Meta:
        default_permissions = ()
        verbose_name = _("staff account")
        verbose_name_plural = _("staff accounts")
        # Pages ask for these capabilities, roles are sets of them (roles.py): fewer and plainer than four rights a model.
        permissions = (
            ("view_directory", "See operators, units, merchants, terminals, lines and card types"),
            ("change_directory", "Change operators, units, merchants, terminals, lines and card types"),
            ("view_accounts", "See accounts, purses, cards and statements"),
            ("change_accounts", "Freeze and release accounts and cards"),
            ("view_transactions", "Search transactions"),
            ("view_settlement", "See settlement runs and sheets"),
            ("run_settlement", "Cut the day and settle"),
            ("view_audit", "Read the audit log"),
            ("manage_staff", "Manage the staff and their roles"),
        )

    def __str__(self) -> str:
        return str(self.user)
