"""Forms of the centre: signing in, changing one's password, and the base that hands a form's fields to a service."""

from typing import Any, ClassVar

from django import forms
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from unfold.forms import AdminOwnPasswordChangeForm

from onecard.consoles.centre import audit
from onecard.consoles.centre.models import StaffAccount
from onecard.kernel.errors import OneCardError, RuleViolated


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]
    """One's own password: the new one must differ, and lifts the duty to change it."""

    def clean_new_password1(self) -> str:
        """Refuse the old password as the new one."""
        new = str(self.cleaned_data.get("new_password1", ""))
        if self.user.check_password(new):
            raise forms.ValidationError(_("The new password must differ from the old one."))
        return new

    def save(self, commit: bool = True) -> Any:
        """Set the password and lift the duty to change it, both or neither."""
        with transaction.atomic():
            user = super().save(commit=commit)
            StaffAccount.objects.update_or_create(user=user, defaults={"password_must_change": False})
        return user


def error_text(error: OneCardError) -> str:
    """A refusal in the reader's language, with the rule and the number, where the text does not name them itself."""
    text = error.en if (get_language() or "").startswith("en") else error.zh
    if isinstance(error, RuleViolated):
        if error.rule not in text:
            text += _(" (rule %(rule)s)") % {"rule": error.rule}
        if error.limit is not None and str(error.limit) not in text:
            text += _(" (limit %(limit)d)") % {"limit": error.limit}
    return text


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose fields go to a service instead of straight into the table.

    `submit()` calls the service; what the service refuses becomes an error of the form. It runs as the last step of validation,
    so that the page shows the refusal beside the fields, inside the page's transaction and behind a savepoint. What has changed
    then stands in the audit log by the same transaction.
    """

    request: HttpRequest
    fixed: ClassVar[tuple[str, ...]] = ()
    """Fields that are given once, when the row is made."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fixed if self.instance.pk else ():
            if name in self.fields:
                self.fields[name].disabled = True

    def submit(self) -> Any:
        """Call the service and hand back the row it made or changed."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        before = type(self.instance)._default_manager.filter(pk=self.instance.pk).first() if self.instance.pk else None
        try:
            with transaction.atomic():
                self.instance = self.submit()
                audit.record_row(self.request, before, self.instance)
        except OneCardError as refusal:
            self.add_error(None, error_text(refusal))

    def save(self, commit: bool = True) -> Any:
        """The service has saved it."""
        return self.instance

    def save_m2m(self) -> None:
        """Nothing: services write what belongs together."""
