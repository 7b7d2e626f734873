"""Cardholders (持卡人): by real name or anonymous; the document number is kept only as a keyed hash and its last four characters.

Rules held here: O2 (an operator's cap, counted by the trigger of `sql/limits.sql`), O5 (departments, staff numbers of a unit). A
closed holder no longer counts.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.people.identity import DocumentType

MAX_PHOTO_BYTES = 200 * 1024


class HolderState(models.TextChoices):
    """Whether somebody is a cardholder."""

    ACTIVE = "active", _("正常")
    CLOSED = "closed", _("已注销")


class Gender(models.TextChoices):
    """As GB/T 2261.1 has them; not saying is one of them."""

    UNKNOWN = "", _("未说明")
    MALE = "m", _("男")
    FEMALE = "f", _("女")


DOCUMENT_CHOICES = (
    (DocumentType.NONE.value, _("无")),
    (DocumentType.ID_CARD.value, _("居民身份证")),
    (DocumentType.PASSPORT.value, _("护照")),
    (DocumentType.HK_MACAO_PERMIT.value, _("港澳居民来往内地通行证")),
    (DocumentType.TAIWAN_PERMIT.value, _("台湾居民来往大陆通行证")),
    (DocumentType.RESIDENCE_PERMIT.value, _("港澳台居民居住证")),
    (DocumentType.FOREIGN_PERMANENT.value, _("外国人永久居留身份证")),
    (DocumentType.STAFF.value, _("工号/学号")),
    (DocumentType.OTHER.value, _("其他")),
)


class Holder(models.Model):
    """A cardholder of one operator, of one of its units or of none."""

    id = models.BigAutoField(primary_key=True)
    operator = models.ForeignKey(
        "operators.Operator", models.PROTECT, related_name="+", db_index=False, verbose_name=_("运营单位")
    )
    # The constraint is the composite (unit_id, operator_id) of sql/limits.sql: it also keeps a unit with holders in its place.
    unit = models.ForeignKey(
        "operators.Unit", models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False, verbose_name=_("接入单位")
    )
    # The constraint is the composite (department_id, unit_id) of sql/organisation.sql.
    department = models.ForeignKey(
        "people.Department",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        verbose_name=_("部门"),
    )
    name = models.CharField(_("姓名"), max_length=50, blank=True, default="")
    anonymous = models.BooleanField(_("不记名"), default=False)
    document_type = models.CharField(_("证件类型"), max_length=20, choices=DOCUMENT_CHOICES, blank=True, default="")
    document_hash = models.BinaryField(_("证件号散列"), null=True, editable=False)
    document_last4 = models.CharField(_("证件号后四位"), max_length=4, blank=True, default="")
    staff_no = models.CharField(_("工号/学号"), max_length=32, blank=True, default="")
    gender = models.CharField(_("性别"), max_length=1, choices=Gender.choices, blank=True, default="")
    phone = models.CharField(_("电话"), max_length=20, blank=True, default="")
    state = models.CharField(_("状态"), max_length=8, choices=HolderState.choices, default=HolderState.ACTIVE)
    created_at = models.DateTimeField(_("登记时间"), auto_now_add=True)
    registered_at = models.DateTimeField(_("实名时间"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("持卡人")
        verbose_name_plural = _("持卡人")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(
                fields=("operator", "document_hash"),
                condition=Q(document_hash__isnull=False, state=HolderState.ACTIVE),
                name="holder_document",
            ),
            models.UniqueConstraint(
                fields=("unit", "staff_no"), condition=~Q(staff_no="") & Q(state=HolderState.ACTIVE), name="holder_staff_no"
            ),
            models.CheckConstraint(
                condition=Q(anonymous=True, name="", document_hash__isnull=True, staff_no="")
                | (Q(anonymous=False) & ~Q(name="")),
                name="holder_real_name",
            ),
            models.CheckConstraint(
                condition=Q(unit__isnull=False) | Q(staff_no="", department__isnull=True), name="holder_of_a_unit"
            ),
            models.CheckConstraint(
                condition=Q(document_type="", document_hash__isnull=True)
                | (~Q(document_type="") & Q(document_hash__isnull=False)),
                name="holder_document_type",
            ),
            models.CheckConstraint(condition=Q(state__in=HolderState.values), name="holder_state"),
            models.CheckConstraint(condition=Q(gender__in=Gender.values), name="holder_gender"),
        )
        indexes = (
            models.Index(fields=("operator", "id"), name="holder_operator"),
            models.Index(fields=("department",), condition=Q(department__isnull=False), name="holder_department"),
        )

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"


class HolderPhoto(models.Model):
    """A holder's photo: the picture itself, whose kind was told from its content."""

    holder = models.OneToOneField(Holder, models.CASCADE, primary_key=True, related_name="photo", verbose_name=_("持卡人"))
    content = models.BinaryField(_("照片"))
    media_type = models.CharField(_("格式"), max_length=12)
    width = models.PositiveIntegerField(_("宽"))
    height = models.PositiveIntegerField(_("高"))
    changed_by = models.CharField(_("经办人"), max_length=100)
    changed_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("照片")
        verbose_name_plural = _("照片")
        constraints = (
            models.CheckConstraint(condition=Q(media_type__in=("image/jpeg", "image/png")), name="holder_photo_type"),
            models.CheckConstraint(condition=Q(width__range=(1, 5000), height__range=(1, 5000)), name="holder_photo_size"),
        )

    def __str__(self) -> str:
        return f"{self.holder_id} {self.media_type}"
