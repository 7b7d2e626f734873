"""How keys, ceremonies, requests and SAMs are named on pages, in the reader's language."""

from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from onecard.services.keys.models.tree import Key
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level, name_of

_ALGORITHMS = {int(KeyAlgorithm.DES3): "3DES", int(KeyAlgorithm.SM4): "SM4", int(KeyAlgorithm.ED25519): "Ed25519"}
_LEVELS = {int(Level.ROOT): _("root"), int(Level.OPERATOR): _("operator"), int(Level.APPLICATION): _("application")}
_ACTS = {
    "opened": _("opened"),
    "entered": _("component entered"),
    "given": _("component handed out"),
    "confirmed": _("component confirmed"),
    "combined": _("combined"),
    "ended early": _("ended early"),
    "aborted": _("aborted"),
    "ordered": _("ordered"),
    "received": _("received"),
    "personalised": _("personalised"),
    "bound": _("bound"),
    "unbound": _("unbound"),
    "blocked": _("blocked"),
    "unblocked": _("unblocked"),
    "scrapped": _("scrapped"),
}


def use(code: str) -> str:
    """A key's use."""
    if code not in KeyUse._value2member_map_:
        return code
    text = name_of(KeyUse(code))
    return text.en if (get_language() or "").startswith("en") else text.zh


def algorithm(number: int) -> str:
    """A key's algorithm."""
    return _ALGORITHMS.get(number, str(number))


def level(number: int) -> str:
    """A level of the key tree."""
    return str(_LEVELS.get(number, number))


def scheme(threshold: int, count: int) -> str:
    """How many of how many custodians."""
    if threshold == count:
        return _("all %(count)d (XOR)") % {"count": count}
    return _("any %(threshold)d of %(count)d") % {"threshold": threshold, "count": count}


def act(code: str) -> str:
    """What was done, in a log."""
    return str(_ACTS.get(code, code))


def key(key_id: int) -> str:
    """A key by its number."""
    found = Key.objects.filter(pk=key_id).first()
    return f"#{key_id} {use(found.use)} {algorithm(found.algorithm)} v{found.version}" if found else f"#{key_id}"
