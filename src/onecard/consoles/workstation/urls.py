"""The addresses of the unit's workstation."""

from django.urls import path

from onecard.consoles.workstation import views

app_name = "workstation"
urlpatterns = [
    path("", views.home, name="home"),
    path("login/", views.login, name="login"),
    path("logout/", views.logout, name="logout"),
    path("language/", views.language, name="language"),
]
