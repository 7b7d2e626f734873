"""Having a service act for a page: its refusal beside the form or as a message, the audit row in the act's own transaction."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _

from onecard.consoles.centre import audit
from onecard.consoles.centre.forms import error_text
from onecard.kernel.errors import OneCardError
from onecard.kernel.money import format_yuan, parse_yuan

MOST_FEN = 10**13


def attempt(request: HttpRequest, act: Callable[[], Any], *, name: str = "", done: str = "") -> bool:
    """Act, and say what happened; whether it was accepted. A row that the act gives is written into the audit log as `name`."""
    try:
        with transaction.atomic():
            _record(request, act(), name)
    except OneCardError as refusal:
        messages.error(request, error_text(refusal))
        return False
    if done:
        messages.success(request, done)
    return True


def submit(
    request: HttpRequest, form: forms.Form, act: Callable[[dict[str, Any]], Any], *, name: str = "", done: str = ""
) -> bool:
    """Act with the form's values where they are sound; a refusal becomes an error of the form. Whether it was accepted."""
    if not form.is_valid():
        return False
    try:
        with transaction.atomic():
            _record(request, act(form.cleaned_data), name)
    except OneCardError as refusal:
        form.add_error(None, error_text(refusal))
        return False
    if done:
        messages.success(request, done)
    return True


def _record(request: HttpRequest, row: Any, name: str) -> None:
    if name and isinstance(row, Model):
        audit.record(request, row, name)


class YuanField(forms.CharField):
    """An amount typed in yuan, handed over in fen."""

    def __init__(self, *, most_fen: int = MOST_FEN, **kwargs: Any) -> None:
        super().__init__(max_length=20, **kwargs)
        self.most_fen = most_fen
        self.widget.attrs["inputmode"] = "decimal"

    def prepare_value(self, value: Any) -> Any:
        """Fen that the page gives as the first value are shown in yuan."""
        return format_yuan(value) if isinstance(value, int) else value

    def clean(self, value: Any) -> Any:
        """Fen; 0 for nothing where nothing is asked for."""
        text = super().clean(value)
        if not text:
            return 0
        try:
            fen = parse_yuan(text)
        except ValueError:
            raise forms.ValidationError(_("Give an amount in yuan, such as 12 or 12.50.")) from None
        if not 0 <= fen <= self.most_fen:
            raise forms.ValidationError(_("The amount is out of range."))
        return fen


class DateField(forms.DateField):
    """A day, picked with the browser's own calendar."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class OnceForm(forms.Form):
    """A form that is sent once: a second press of the button carries the same key, and the service does nothing again."""

    key = forms.CharField(widget=forms.HiddenInput, min_length=8, max_length=60)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = lambda: f"web-{uuid4()}"
