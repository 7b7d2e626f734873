"""Where the pages of keys, ceremonies, dual control and SAMs are found."""

from collections.abc import Callable

from django.urls import URLPattern, path

from onecard.consoles.centre.pages import ceremony, keys, requests, sams
from onecard.consoles.centre.pages.base import View


def key_urls(view: Callable[[View], View]) -> list[URLPattern]:
    """Paths of the admin site; `view` is the site's own guard."""
    return [
        path("keys/status/", view(keys.keys), name="centre_keys"),
        path("keys/alarms/<int:alarm_id>/", view(keys.acknowledge), name="centre_key_alarm"),
        path("keys/ceremonies/", view(ceremony.ceremonies), name="centre_ceremonies"),
        path("keys/ceremonies/open/", view(ceremony.open_ceremony), name="centre_ceremony_open"),
        path("keys/ceremonies/<int:ceremony_id>/", view(ceremony.ceremony), name="centre_ceremony"),
        path("keys/ceremonies/<int:ceremony_id>/component/", view(ceremony.component), name="centre_ceremony_component"),
        path("keys/ceremonies/<int:ceremony_id>/conclude/", view(ceremony.conclude), name="centre_ceremony_conclude"),
        path("keys/ceremonies/<int:ceremony_id>/transcript.json", view(ceremony.transcript), name="centre_ceremony_transcript"),
        path("keys/requests/", view(requests.requests), name="centre_key_requests"),
        path("keys/requests/ask/", view(requests.ask), name="centre_key_request_ask"),
        path("keys/requests/<int:request_id>/", view(requests.decide), name="centre_key_request_decide"),
        path("sams/", view(sams.sams), name="centre_sams"),
        path("sams/take-in/", view(sams.take_in), name="centre_sams_take_in"),
        path("sams/<int:sam_no>/", view(sams.sam), name="centre_sam"),
        path("sams/<int:sam_no>/change/", view(sams.change), name="centre_sam_change"),
    ]
