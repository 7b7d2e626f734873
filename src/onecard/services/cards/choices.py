"""The closed lists of the card domain: stored values, with Chinese names for people. Never rename a stored value."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class PlaceKind(TextChoices):
    """C1: where a card can be. The supplier is the world outside: what is with him is not ours yet, or no more."""

    SUPPLIER = "supplier", _("供应商")
    CENTRE = "centre", _("市中心库")
    WORK = "work", _("制卡中")
    ISSUED = "issued", _("已发行")
    SCRAPPED = "scrapped", _("已作废")
    OPERATOR = "operator", _("运营单位库")
    UNIT = "unit", _("接入单位库")


class DocumentKind(TextChoices):
    """C1: the papers by which cards move; every movement stands on one."""

    ORDER = "order", _("订货单")
    RECEIPT = "receipt", _("入库单")
    HAND_OVER = "hand_over", _("调拨单")
    RETURN = "return", _("退库单")
    SCRAP = "scrap", _("作废单")
    CLAIM = "claim", _("制卡领用")
    UNCLAIM = "unclaim", _("制卡退回")
    ISSUE = "issue", _("发行")
    UNISSUE = "unissue", _("发行撤销")
    TAKE_BACK = "take_back", _("收回旧卡")


class State(TextChoices):
    """C3: where a card is in its life. The steps allowed are in `life.TABLE`."""

    ISSUED = "issued", _("已发行待启用")
    ACTIVE = "active", _("正常")
    LOST_VERBAL = "lost_verbal", _("口头挂失")
    LOST = "lost", _("挂失")
    FROZEN = "frozen", _("冻结")
    EXPIRED = "expired", _("已过期")
    REPLACED = "replaced", _("已换卡")
    RETURNED = "returned", _("已退卡")
    CLOSED = "closed", _("已注销")


class Operation(TextChoices):
    """C3: what can be done with a card. The value is also the verb of its permission, `cards.<value>`."""

    ISSUE = "issue", _("发卡")
    ACTIVATE = "activate", _("启用")
    REGISTER = "register", _("实名登记")
    REPORT_LOST_VERBAL = "report_lost_verbal", _("口头挂失")
    REPORT_LOST = "report_lost", _("书面挂失")
    LIFT = "lift", _("解挂")
    FREEZE = "freeze", _("冻结")
    UNFREEZE = "unfreeze", _("解冻")
    REPLACE = "replace", _("补卡")
    EXCHANGE = "exchange", _("换卡")
    CHANGE_TYPE = "change_type", _("变更卡种")
    EXTEND = "extend", _("延期")
    RETURN = "return", _("退卡")
    EXPIRE = "expire", _("到期")
    CARRY_OVER = "carry_over", _("芯片余额转移")
    CLOSE = "close", _("注销")
    UNDO = "undo", _("撤销操作")
    ADOPT = "adopt", _("补登")
    """Cards opened in bulk straight in the ledger get their life row, and this event, when they are first touched."""
