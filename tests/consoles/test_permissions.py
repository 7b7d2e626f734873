"""The bridge from roles to the services' permissions: nothing is forgotten, nothing is given away."""

import importlib
import pkgutil

import onecard.services
from onecard.consoles.centre.permissions import CARRIES, OWN, carried, known
from onecard.consoles.centre.roles import CAPABILITY_NAMES, ROLE_CAPABILITIES, ROLE_NAMES, Can, Role
from onecard.services.keys.custody.permissions import BY_NOBODY


def test_every_permission_of_every_domain_is_known_and_carried() -> None:
    declared: set[str] = set(OWN)
    for module in pkgutil.walk_packages(onecard.services.__path__, "onecard.services."):
        if module.name.endswith(".permissions"):
            declared |= set(importlib.import_module(module.name).PERMISSIONS)
    assert set(known()) == carried(set(Can)) == declared - BY_NOBODY, "custody alone does the rest, once two people agree"
    assert all(text.zh and text.en for text in known().values())


def test_who_only_reads_carries_nothing_that_changes() -> None:
    reading = {"directory.read", "transactions.read", "cards.stock_view", "issuing.read", "devices.view", "rollouts.view"}
    assert carried(set(ROLE_CAPABILITIES[Role.VIEWER])) == reading
    assert not any(name.startswith(("keys.", "chip.")) for name in carried(set(ROLE_CAPABILITIES[Role.CARD_DESK])))
    assert "cards.waive_fee" not in carried(set(ROLE_CAPABILITIES[Role.CARD_DESK])), "a fee is waived by somebody else"
    assert set(ROLE_NAMES) == set(ROLE_CAPABILITIES) == set(Role)
    assert set(CAPABILITY_NAMES) == set(Can) and set(CARRIES) <= set(Can)
