"""The addresses of all consoles; each console keeps its own below its prefix."""

from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from onecard.consoles.centre.site import centre_site

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("centre/", centre_site.urls),
    path("workstation/", include("onecard.consoles.workstation.urls")),
    path("api/", include("onecard.httpapi.urls")),  # by name: REST and the consoles do not import one another
]

handler400 = "onecard.consoles.errors.bad_request"
handler403 = "onecard.consoles.errors.permission_denied"
handler404 = "onecard.consoles.errors.page_not_found"
handler500 = "onecard.consoles.errors.server_error"
