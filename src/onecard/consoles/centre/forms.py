"""Forms of the centre: signing in, changing one's password, and the base that hands a form's fields to a service."""

from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from unfold.forms import AdminOwnPasswordChangeForm

from onecard.consoles.centre.models import StaffAccount
from onecard.kernel.errors import OneCardError, RuleViolated


class OwnPasswordForm(AdminOwnPasswordChangeForm):
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
    """A refusal in the reader's language, with the number of the rule that refuses."""
    text = error.en if (get_language() or "").startswith("en") else error.zh
    if isinstance(error, RuleViolated):
        text += _(" (rule %(rule)s)") % {"rule": error.rule}
        if error.limit is not None and str(error.limit) not in text:
            text += _(" (limit %(limit)d)") % {"limit": error.limit}
    return text


class ServiceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose fields go to a service instead of straight into the table.

    `submit()` calls the service; what the service refuses becomes an error of the form. It runs as the last step of validation, so
    that the page shows the refusal beside the fields, inside the page's transaction and behind a savepoint.
    """

    def submit(self) -> Any:
        """Call the service and hand back the row it made or changed."""
        raise NotImplementedError

    def _post_clean(self) -> None:
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.submit()
        except OneCardError as refusal:
            self.add_error(None, error_text(refusal))

    def save(self, commit: bool = True) -> Any:
        """The service has saved it."""
        return self.instance

    def save_m2m(self) -> None:
        """Nothing: services write what belongs together."""
