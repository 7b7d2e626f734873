"""The key tree (K1) as rows: what each key is for, which version is in force, and its bytes only as the keeper sealed them.

What the database holds by itself (here and in `sql/tree.sql`): one active version of a key, the order of states, that a
destroyed key has no bytes left, that nothing a sealed blob is bound to ever changes, and one vault a database.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level


class KeyState(models.TextChoices):
    """Where a version is in its life."""

    PENDING = "pending", _("待启用")
    ACTIVE = "active", _("使用中")
    RETIRING = "retiring", _("过渡期")
    RETIRED = "retired", _("已停用")
    DESTROYED = "destroyed", _("已销毁")


class Origin(models.TextChoices):
    """Where a key comes from."""

    GENERATED = "generated", _("保管库内生成")
    CEREMONY = "ceremony", _("密钥仪式合成")
    DERIVED = "derived", _("由上级密钥分散")


class VaultHeader(models.Model):
    """The one vault of this database. `wrapped` is the data key, sealed under a key that exists only while a vault is open.

    With a PKCS#11 keeper salt and `wrapped` are empty and `token` names the token.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    uid = models.UUIDField(_("编号"))
    keeper = models.CharField(_("保管方式"), max_length=10)
    demonstration = models.BooleanField(_("仅供演示"), default=False)
    salt = models.BinaryField(default=b"", editable=False)
    time_cost = models.IntegerField(default=0)
    memory_kib = models.IntegerField(default=0)
    lanes = models.IntegerField(default=0)
    wrapped = models.BinaryField(default=b"", editable=False)
    token = models.CharField(_("令牌"), max_length=64, blank=True, default="")
    tree_stamp = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(_("建立时间"))
    rewrapped_at = models.DateTimeField(_("口令更换时间"), null=True)

    class Meta:
        verbose_name = _("密钥保管库")
        verbose_name_plural = _("密钥保管库")
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="vault_only_one"),
            models.CheckConstraint(condition=Q(keeper__in=("software", "pkcs11")), name="vault_keeper"),
        )

    def __str__(self) -> str:
        return f"{self.keeper} {self.uid}"


class KeySet(models.Model):
    """The keys of one application: how many levels card keys are diversified in, and which algorithm new cards are given."""

    id = models.SmallAutoField(primary_key=True)
    code = models.CharField(_("代码"), max_length=20, unique=True)
    name = models.CharField(_("名称"), max_length=50)
    levels = models.SmallIntegerField(_("分散级数"), default=2)
    algorithm = models.SmallIntegerField(_("新卡算法"), default=KeyAlgorithm.DES3)

    class Meta:
        verbose_name = _("密钥组")
        verbose_name_plural = _("密钥组")
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(levels__in=(1, 2)), name="key_set_levels"),
            models.CheckConstraint(condition=Q(algorithm__in=(KeyAlgorithm.DES3, KeyAlgorithm.SM4)), name="key_set_algorithm"),
        )

    def __str__(self) -> str:
        return self.name


class Key(models.Model):
    """One version of one key. Derived keys have a parent and a factor instead of bytes of their own."""

    id = models.BigAutoField(primary_key=True)
    key_set = models.ForeignKey(KeySet, models.PROTECT, related_name="keys", verbose_name=_("密钥组"))
    use = models.CharField(_("用途"), max_length=20)
    algorithm = models.SmallIntegerField(_("算法"))
    level = models.SmallIntegerField(_("层级"))
    owner = models.IntegerField(_("所属"), default=0)
    version = models.SmallIntegerField(_("版本"))
    index = models.SmallIntegerField(_("索引"), default=1)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children", verbose_name=_("上级密钥"))
    factor = models.BinaryField(_("分散因子"), null=True)
    state = models.CharField(_("状态"), max_length=10, choices=KeyState.choices, default=KeyState.PENDING)
    origin = models.CharField(_("来源"), max_length=10, choices=Origin.choices)
    exportable = models.BooleanField(_("可加密导出"), default=False)
    kcv = models.BinaryField(_("校验值"))
    public = models.BinaryField(_("公钥"), null=True)
    blob = models.BinaryField(null=True, editable=False)
    object_id = models.CharField(_("令牌对象"), max_length=64, blank=True, default="")
    created_at = models.DateTimeField(_("生成时间"))
    activated_at = models.DateTimeField(_("启用时间"), null=True)
    retiring_until = models.DateTimeField(_("过渡期至"), null=True)
    retired_at = models.DateTimeField(_("停用时间"), null=True)
    destroyed_at = models.DateTimeField(_("销毁时间"), null=True)

    class Meta:
        verbose_name = _("密钥")
        verbose_name_plural = _("密钥")
        ordering = ("key_set_id", "use", "algorithm", "level", "owner", "version")
        constraints = (
            models.UniqueConstraint(fields=("key_set", "use", "algorithm", "level", "owner", "version"), name="key_version_once"),
            models.UniqueConstraint(
                fields=("key_set", "use", "algorithm", "level", "owner"), condition=Q(state="active"), name="key_one_active"
            ),
            models.CheckConstraint(condition=Q(version__range=(1, 255)), name="key_version_range"),
            models.CheckConstraint(condition=Q(index__range=(0, 255)), name="key_index_range"),
            models.CheckConstraint(condition=Q(use__in=[use.value for use in KeyUse]), name="key_use"),
            models.CheckConstraint(condition=Q(algorithm__in=[int(kind) for kind in KeyAlgorithm]), name="key_algorithm"),
            models.CheckConstraint(condition=Q(state__in=KeyState.values), name="key_state"),
            models.CheckConstraint(
                condition=Q(level=Level.ROOT, owner=0, parent__isnull=True)
                | Q(level__in=(Level.OPERATOR, Level.APPLICATION), owner__gt=0),
                name="key_level",
            ),
            models.CheckConstraint(
                condition=Q(origin="derived", parent__isnull=False, factor__isnull=False)
                | (~Q(origin="derived") & Q(parent__isnull=True, factor__isnull=True)),
                name="key_derived",
            ),
            # A derived key has no bytes of its own, a destroyed one has none left; every other has them in one place.
            models.CheckConstraint(
                condition=Q(blob__isnull=True, object_id="", origin="derived")
                | Q(blob__isnull=True, object_id="", state="destroyed")
                | (~Q(state="destroyed") & Q(blob__isnull=False, object_id=""))
                | (~Q(state="destroyed") & Q(blob__isnull=True) & ~Q(object_id="")),
                name="key_material",
            ),
            models.CheckConstraint(condition=~Q(state="retiring") | Q(retiring_until__isnull=False), name="key_overlap"),
        )

    def __str__(self) -> str:
        return f"{self.use}/{self.algorithm}/{self.level}:{self.owner}/v{self.version}"
