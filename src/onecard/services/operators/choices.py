"""The closed lists of the operator domain: stored values, with Chinese names for people. Never rename a stored value."""

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class SettlementMode(TextChoices):
    """O2, S2: unified settlement runs over the platform, independent settlement leaves the money with the unit."""

    UNIFIED = "unified", _("统一结算")
    INDEPENDENT = "independent", _("独立结算")


class IssuingMode(TextChoices):
    """O2: who issues the cards of a card type."""

    UNIFIED = "unified", _("统一发卡")
    LOCAL = "local", _("独立配卡")


class OperatorStatus(TextChoices):
    """A suspended operator's units, merchants and devices stand still; a closed one gives its place free."""

    ACTIVE = "active", _("正常")
    SUSPENDED = "suspended", _("停用")
    CLOSED = "closed", _("已撤销")


class UnitState(TextChoices):
    """O3: the life of a unit; the steps allowed are in `lifecycle.TRANSITIONS`."""

    APPLIED = "applied", _("已申请")
    OPENED = "opened", _("已开通")
    COMMISSIONING = "commissioning", _("调试中")
    ACTIVE = "active", _("正常")
    SUSPENDED = "suspended", _("停用")
    EXPIRED = "expired", _("已到期")
    CLOSED = "closed", _("已关闭")


class MerchantState(TextChoices):
    """Whether a merchant takes payments."""

    ACTIVE = "active", _("正常")
    CLOSED = "closed", _("已停用")


class PurseOrder(IntegerChoices):
    """P1: which purses are tried at a merchant, in which order; the numbers are the posting function's."""

    PUBLIC = 1, _("公共钱包")
    PRIVATE = 2, _("私有钱包")
    PRIVATE_THEN_PUBLIC = 3, _("先私有后公共")
    PUBLIC_THEN_PRIVATE = 4, _("先公共后私有")


class Application(TextChoices):
    """What a unit may use; fixed when it is opened (O3)."""

    PAYMENT = "payment", _("消费")
    FUNDING = "funding", _("充值")
    ACCESS = "access", _("门禁")
    ATTENDANCE = "attendance", _("考勤")
    VISITORS = "visitors", _("访客")
    MEETINGS = "meetings", _("会议签到")
    PATROL = "patrol", _("巡更")
    PARKING = "parking", _("停车")
