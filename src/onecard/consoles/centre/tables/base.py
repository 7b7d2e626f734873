"""The base of every list: a capability to see, one to change, no deletion, no counting of whole tables."""

from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.contrib import messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db import transaction
from django.db.models import Model, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from onecard.consoles.centre import audit
from onecard.consoles.centre.forms import error_text
from onecard.consoles.centre.identity import operators
from onecard.consoles.centre.roles import Can, allowed
from onecard.kernel.errors import OneCardError

_F = TypeVar("_F", bound=Callable[..., Any])


def column(description: str | Promise, *, ordering: str | None = None, label: dict[str, str] | None = None) -> Callable[[_F], _F]:
    """A column of a list made by a method: its heading, the field it sorts by, and the colours of its badge."""

    def decorate(method: _F) -> _F:
        made: _F = display(description=description, ordering=ordering, label=label)(method)
        return made

    return decorate


class CentreAdmin(ModelAdmin):  # type: ignore[misc]
    """A table of the platform."""

    view_capability: Can = Can.VIEW_DIRECTORY
    change_capability: Can | None = None
    scope: str | tuple[str, ...] = ()
    """The paths from a row to its operator: users who are bound to operators see those rows alone (N3)."""
    list_fullwidth = True
    list_filter_sheet = True
    list_per_page = 50
    list_disable_select_all = True
    show_full_result_count = False
    paginator = InfinitePaginator
    actions = None
    save_as_continue = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the table is shown at all."""
        return allowed(request, self.view_capability)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether rows may be seen."""
        return allowed(request, self.view_capability)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether rows may be changed."""
        return self.change_capability is not None and allowed(request, self.change_capability)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Whether rows may be added."""
        return self.has_change_permission(request)

    def get_queryset(self, request: HttpRequest) -> Any:
        """The rows of the operators the user may see; also what is looked up by number and by name."""
        found, bound = super().get_queryset(request), operators(request)
        if bound is None or not self.scope:
            return found
        paths = (self.scope,) if isinstance(self.scope, str) else self.scope
        return found.filter(reduce(or_, (Q(**{f"{path}__in": bound}) for path in paths)))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never: things are closed, not deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: Model, form: Any, change: bool) -> None:
        """Nothing: the form's service has saved it (forms.ServiceForm)."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Nothing: the audit log has it."""

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Nothing: the audit log has it."""

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        """The form, knowing who fills it in."""
        form = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        for field in form.base_fields.values():
            if isinstance(field.widget, RelatedFieldWidgetWrapper):  # no pop-ups: every table has its page
                field.widget.can_add_related = field.widget.can_change_related = field.widget.can_view_related = False
        return form

    def act(self, request: HttpRequest, pk: int, perform: Callable[[], Any], *, act: str, done: str = "") -> HttpResponse:
        """Have a service act on a row: with its audit row in one transaction, and its refusal as a message on the row's page."""
        before = self.get_queryset(request).filter(pk=pk).first()
        if before is None:
            raise Http404
        try:
            with transaction.atomic():
                perform()
                audit.record_row(request, before, self.model._default_manager.get(pk=pk), act=act)
        except OneCardError as refusal:
            return self.back(request, pk, failed=error_text(refusal))
        return self.back(request, pk, done=done)

    def back(self, request: HttpRequest, pk: Any, *, done: str = "", failed: str = "") -> HttpResponse:
        """Back to a row's page, with what happened."""
        if done:
            messages.success(request, done)
        if failed:
            messages.error(request, failed)
        return redirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[pk]))
