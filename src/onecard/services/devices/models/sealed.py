"""Secrets of the platform, sealed under the key vault: useless without it, and in every backup of the database with it."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class SealedSecret(models.Model):
    """One secret: AES-256-GCM under a key that only the vault gives."""

    name = models.CharField(_("名称"), max_length=40, primary_key=True)
    sealed = models.BinaryField(_("密文"))
    sealed_at = models.DateTimeField(_("封存时间"))

    class Meta:
        verbose_name = _("封存的机密")
        verbose_name_plural = _("封存的机密")

    def __str__(self) -> str:
        return self.name
