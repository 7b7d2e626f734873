"""Django's settings: the database by role, secrets and the list of apps. What concerns pages is in `consoles/websettings.py`."""

from django.utils.functional import lazy

from onecard.consoles.websettings import *  # noqa: F403
from onecard.consoles.websettings import WEB_APPS
from onecard.datacenter import dj, dsn
from onecard.datacenter.home import Home

INSTALLED_APPS = [
    *WEB_APPS,  # Unfold stands before the admin it dresses
    "procrastinate.contrib.django",
    "onecard.datacenter",
    "onecard.services.operators",
    "onecard.services.people",
    "onecard.services.devices",
    "onecard.services.purses",
    "onecard.services.keys",
    "onecard.services.cards",
    "onecard.services.issuing",
    "onecard.services.chip",
    "onecard.services.paycodes",
    "onecard.services.offline",
    "onecard.services.rollouts",
    "onecard.services.settlement",
    "onecard.services.monitoring",
]

# Lazy: what only reads the settings (mypy, makemigrations) makes no home and no secret.
SECRET_KEY = lazy(lambda: Home.from_environment().secret("django-key"), str)()

DATABASES = {"default": dj.connection_settings(dsn.app_dsn())}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
