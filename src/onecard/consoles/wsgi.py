"""The WSGI application of all consoles."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "onecard.settings")

application = get_wsgi_application()
