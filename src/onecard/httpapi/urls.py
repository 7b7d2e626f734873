"""The addresses of REST: one API an audience, with its version in the path."""

from django.urls import URLPattern, URLResolver, path

from onecard.httpapi.workstation.api import api

urlpatterns: list[URLPattern | URLResolver] = [path("workstation/v1/", api.urls)]
