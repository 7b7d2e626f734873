"""What each capability carries in the services: the one bridge from roles to the permission strings that an `Actor` holds.

A domain lists its strings in its own `permissions.py`; those of the tables that have no such list stand here. A test holds that
every string is carried by some capability.
"""

from onecard.consoles.centre.roles import Can
from onecard.kernel.codes import Text
from onecard.services.cards import permissions as cards
from onecard.services.chip import permissions as chip
from onecard.services.devices import permissions as devices
from onecard.services.devices.registry import permissions as registry
from onecard.services.issuing import permissions as issuing
from onecard.services.keys import permissions as keys
from onecard.services.keys.custody import permissions as custody
from onecard.services.offline import permissions as offline
from onecard.services.paycodes import permissions as paycodes
from onecard.services.people import permissions as people
from onecard.services.rollouts import permissions as rollouts

DIRECTORY_READ = "directory.read"
ACCOUNTS_READ = "accounts.read"
TRANSACTIONS_READ = "transactions.read"
PEOPLE_READ = "people.read"

OWN: dict[str, Text] = {
    DIRECTORY_READ: Text("查看运营单位、接入单位、商户、卡种", "See operators, units, merchants and card types"),
    ACCOUNTS_READ: Text("查看账户、钱包", "See accounts and purses"),
    TRANSACTIONS_READ: Text("查询交易", "Search transactions"),
    PEOPLE_READ: Text("查看持卡人", "See cardholders"),
}
_WAIVE = "cards.waive_fee"
_STOCK = frozenset(name for name in cards.PERMISSIONS if name.startswith("cards.stock_"))
_MAKING = frozenset({cards.VIEW, cards.CLAIM, "cards.issue"})
_LIFE = frozenset(cards.PERMISSIONS) - _STOCK - {cards.RULES, _WAIVE}
_CAPS = "people.caps"
_CHIP_PARAMETERS = "chip.parameters"

CARRIES: dict[Can, frozenset[str]] = {
    Can.VIEW_DIRECTORY: frozenset({DIRECTORY_READ}),
    Can.CHANGE_DIRECTORY: frozenset(
        {cards.RULES, _CAPS, _CHIP_PARAMETERS, "paycodes.limits", "offline.rules", *devices.PERMISSIONS}
    ),
    Can.VIEW_ACCOUNTS: frozenset({ACCOUNTS_READ, "paycodes.view"}),
    Can.CHANGE_ACCOUNTS: frozenset({_WAIVE}),
    Can.VIEW_TRANSACTIONS: frozenset({TRANSACTIONS_READ}),
    Can.VIEW_CARDS: frozenset({cards.VIEW}),
    Can.CHANGE_CARDS: _LIFE | {"paycodes.issue"},
    Can.VIEW_STOCK: frozenset({cards.STOCK_VIEW}),
    Can.CHANGE_STOCK: _STOCK,
    Can.VIEW_BATCHES: frozenset({issuing.READ}),
    Can.RUN_BATCHES: frozenset(issuing.PERMISSIONS) | _MAKING,
    Can.VIEW_HOLDERS: frozenset({PEOPLE_READ}),
    Can.CHANGE_HOLDERS: frozenset(people.PERMISSIONS) - {_CAPS},
    Can.VIEW_CHIP: frozenset({"chip.view", "paycodes.held"}),
    Can.DECIDE_CHIP: (frozenset(chip.PERMISSIONS) - {_CHIP_PARAMETERS}) | {"paycodes.decide", "paycodes.approve"},
    Can.VIEW_DEVICES: frozenset({registry.VIEW}),
    Can.CHANGE_DEVICES: frozenset(registry.PERMISSIONS),
    Can.VIEW_ROLLOUTS: frozenset({rollouts.VIEW}),
    Can.RUN_ROLLOUTS: (frozenset(rollouts.PERMISSIONS) - {rollouts.KEYS}) | {"offline.release"},
    Can.VIEW_KEYS: frozenset({custody.READ}),
    Can.MANAGE_KEYS: (
        frozenset({*keys.PERMISSIONS, *custody.PERMISSIONS, rollouts.KEYS}) - {custody.COMPONENT} - custody.BY_NOBODY
    ),
    Can.KEY_CUSTODIAN: frozenset({custody.COMPONENT}),
}


TWO_PERSON: frozenset[str] = frozenset(
    {"chip.decide", "chip.approve", "paycodes.decide", "paycodes.approve", custody.REQUEST, custody.APPROVE, custody.COMPONENT,
     custody.CEREMONY, rollouts.PLAN, rollouts.APPROVE}
)  # fmt: skip
"""Permissions whose rule asks for a second person: they are worth what their bearer's name is worth."""


def known() -> dict[str, Text]:
    """Every permission string that somebody can carry, with its words."""
    domains = (cards, chip, devices, registry, issuing, keys, custody, offline, people, paycodes, rollouts)
    words = OWN | {name: text for domain in domains for name, text in domain.PERMISSIONS.items()}
    return {name: text for name, text in words.items() if name not in custody.BY_NOBODY}


def carried(capabilities: set[Can]) -> frozenset[str]:
    """The permission strings of a set of capabilities."""
    return frozenset().union(*(CARRIES.get(capability, frozenset()) for capability in capabilities))
