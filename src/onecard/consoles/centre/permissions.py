"""What each capability carries in the services: the one bridge from roles to the permission strings that an `Actor` holds.

A domain lists its strings in its own `permissions.py`; those of the tables that have no such list stand here. A test holds that
every string is carried by some capability.
"""

from onecard.consoles.centre.roles import Can
from onecard.kernel.codes import Text
from onecard.services.issuing import permissions as issuing

DIRECTORY_READ = "directory.read"
ACCOUNTS_READ = "accounts.read"
TRANSACTIONS_READ = "transactions.read"

OWN: dict[str, Text] = {
    DIRECTORY_READ: Text("查看运营单位、接入单位、商户、卡种", "See operators, units, merchants and card types"),
    ACCOUNTS_READ: Text("查看账户、钱包", "See accounts and purses"),
    TRANSACTIONS_READ: Text("查询交易", "Search transactions"),
}

CARRIES: dict[Can, frozenset[str]] = {
    Can.VIEW_DIRECTORY: frozenset({DIRECTORY_READ}),
    Can.VIEW_ACCOUNTS: frozenset({ACCOUNTS_READ}),
    Can.VIEW_TRANSACTIONS: frozenset({TRANSACTIONS_READ}),
    Can.VIEW_BATCHES: frozenset({issuing.READ}),
    Can.RUN_BATCHES: frozenset(issuing.PERMISSIONS),
}


def known() -> dict[str, Text]:
    """Every permission string there is, with its words."""
    return {**OWN, **issuing.PERMISSIONS}


def carried(capabilities: set[Can]) -> frozenset[str]:
    """The permission strings of a set of capabilities."""
    return frozenset().union(*(CARRIES.get(capability, frozenset()) for capability in capabilities))
