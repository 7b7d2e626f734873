"""The words of held payments: where one stands, and what may be proposed for it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class HeldState(models.TextChoices):
    """Where a held payment stands."""

    OPEN = "open", _("待处理")
    POSTED = "posted", _("已放行入账")
    REFUSED = "refused", _("已拒绝")
    NOTED = "noted", _("已登记（旧制，一人）")


class Outcome(models.TextChoices):
    """What two people decide."""

    RELEASE = "release", _("放行入账")
    REFUSE = "refuse", _("拒绝")
