"""The web part of Django's settings: apps, middleware, sign-in, sessions, languages, static files, Unfold.

`onecard.settings` imports every name of this module; what concerns the database and secrets stands there.
"""

import os
from datetime import timedelta
from pathlib import Path

from django.utils.translation import gettext_lazy as _

_CONSOLES = Path(__file__).parent

WEB_APPS = [
    "unfold",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "auditlog",
    "axes",
    "ninja",  # its documentation page's files come from here, not from another host
    "onecard.consoles.centre",
    "onecard.consoles.workstation",
    "onecard.httpapi",
]

# Order matters: the client's address must be known before anything writes it down, the axes middleware must come last.
MIDDLEWARE = [
    "onecard.consoles.lineunit.line_unit",
    "onecard.consoles.middleware.client_address",
    "django.middleware.security.SecurityMiddleware",
    "onecard.consoles.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "onecard.consoles.middleware.language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "onecard.consoles.middleware.session_limits",
    "onecard.consoles.centre.middleware.password_must_change",
    "auditlog.middleware.AuditlogMiddleware",
    "onecard.httpapi.middleware.rest",
    "axes.middleware.AxesMiddleware",
]

DEBUG = False
ROOT_URLCONF = "onecard.consoles.urls"
WSGI_APPLICATION = "onecard.consoles.wsgi.application"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]", *filter(None, os.environ.get("ONECARD_WEB_HOSTS", "").split(","))]
# Addresses of reverse proxies whose X-Forwarded-For is believed; nobody's is by default.
TRUSTED_PROXIES = frozenset(filter(None, os.environ.get("ONECARD_WEB_PROXIES", "").split(",")))
# A proxy that ends TLS says so here; only read when the peer is one of TRUSTED_PROXIES (see middleware.client_address).
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in filter(None, os.environ.get("ONECARD_WEB_HOSTS", "").split(","))]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_CONSOLES / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
API_IDENTITY = "onecard.consoles.centre.rest"

# Five wrong passwords for one name from one address shut that pair out for a quarter of an hour. The pair, not the name
# alone: otherwise anybody could keep the administrator out.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "centre/locked.html"
AXES_CLIENT_IP_CALLABLE = "onecard.consoles.middleware.peer_address"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

# Secure even on loopback: browsers count 127.0.0.1 as trustworthy; `serve web` refuses plain HTTP on any other address.
SESSION_COOKIE_NAME = "onecard_session"
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = int(timedelta(hours=12).total_seconds())
SESSION_IDLE_SECONDS = int(timedelta(minutes=60).total_seconds())
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_NAME = "onecard_csrf"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_FAILURE_VIEW = "onecard.consoles.errors.csrf_failure"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds())  # sent over https only
X_FRAME_OPTIONS = "DENY"

USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LANGUAGE_COOKIE_NAME = "onecard_language"
LANGUAGE_COOKIE_SECURE = True
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_AGE = int(timedelta(days=365).total_seconds())
LOCALE_PATHS = [_CONSOLES / "locale"]

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # straight from the installed packages: no collectstatic step
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MAX_AGE = 3600
DATA_UPLOAD_MAX_MEMORY_SIZE = 1 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

AUDITLOG_DISABLE_REMOTE_ADDR = False
AUDITLOG_INCLUDE_ALL_MODELS = False

UNFOLD = {
    "SITE_TITLE": _("One-Card management centre"),
    "SITE_HEADER": _("City One-Card"),
    "SITE_SUBHEADER": _("Management centre"),
    "SITE_SYMBOL": "contactless",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "THEME": None,
    "STYLES": ["/static/centre/centre.css"],
    "SCRIPTS": ["/static/centre/htmx-config.js"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: "/static/centre/favicon.svg"}],
    "SIDEBAR": {"show_search": False, "navigation": "onecard.consoles.centre.navigation.sidebar"},
}
