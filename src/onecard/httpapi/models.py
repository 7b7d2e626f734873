"""What REST keeps of its own: the answers of calls that carry an Idempotency-Key."""

from django.db import models


class Answered(models.Model):
    """One call that was carried out: who asked under which key, what exactly, and the answer it gets again.

    `asked` are the permissions the call needed, each with its operator or null; `operators` those its actor was bound to. Both
    are asked for again before the answer is given again. Written in the transaction of the call itself, so that a call has
    either happened and its answer is here, or neither.
    """

    actor = models.CharField(max_length=150)
    key = models.CharField(max_length=64)
    call = models.CharField(max_length=200)
    content = models.BinaryField(max_length=32, editable=False)
    answer = models.JSONField(null=True)
    asked = models.JSONField(null=True)
    operators = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("actor", "key"), name="httpapi_answered_key"),)
        indexes = (models.Index(fields=("actor", "created_at"), name="httpapi_answered_age"),)

    def __str__(self) -> str:
        return f"{self.actor} {self.key}"
