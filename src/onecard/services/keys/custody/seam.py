"""What custody has the vault do: seal and show components, combine them, sign transcripts, carry out what two people decided.

The permissions that the vault asks for here (`keys.import`, `keys.activate` …) are carried by nobody: they come from the quorum
of a ceremony or from an approved request, and are made here for the one call.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.services.actors import Actor
from onecard.services.keys.custody.components import Component, Scheme
from onecard.services.keys.keepers.base import Handle, SealedComponent, Slot
from onecard.services.keys.models.custody import Ceremony, CeremonyComponent
from onecard.services.keys.models.tree import Key
from onecard.services.keys.types import KeyStatus
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level

if TYPE_CHECKING:
    from onecard.services.keys.vault import Vault

_TRANSCRIPT = "key ceremony transcript"
_MAX_OVERLAP_DAYS = 3650


def vault() -> "Vault":
    """The process's vault. Raises VaultLocked."""
    from onecard.services.keys.api import open_vault  # the api offers what stands in this package too

    return open_vault()


# --- components


def seal(ceremony: Ceremony, component: Component) -> SealedComponent:
    """A component that a custodian has typed in, with its check value."""
    return vault().seal_component(component, context=_context(ceremony), algorithm=ceremony.algorithm)


def new_component(ceremony: Ceremony, number: int, *, actor: Actor) -> tuple[SealedComponent, Component]:
    """A random component, sealed, and once in the clear for its custodian."""
    sealed = vault().make_component(number, context=_context(ceremony), algorithm=ceremony.algorithm)
    return sealed, vault().open_component(sealed, actor=actor)


def further_share(
    ceremony: Ceremony, scheme: Scheme, parts: Sequence[CeremonyComponent], number: int, *, actor: Actor
) -> tuple[SealedComponent, Component]:
    """The share of a further custodian, sealed, and once in the clear."""
    sealed = vault().derive_share(
        scheme, _sealed(ceremony, parts), number, context=_context(ceremony), algorithm=ceremony.algorithm
    )
    return sealed, vault().open_component(sealed, actor=actor)


def combine(ceremony: Ceremony, scheme: Scheme, parts: Sequence[CeremonyComponent], *, actor: Actor) -> KeyStatus:
    """The key, pending. Raises InvalidInput where components do not fit, or make another key than expected."""
    made = vault().combine_components(
        KeyUse(ceremony.use),
        scheme,
        _sealed(ceremony, parts),
        actor=_for_this(actor, "keys.import"),
        algorithm=KeyAlgorithm(ceremony.algorithm),
        version=ceremony.version,
    )
    if ceremony.expected_kcv and made.kcv != ceremony.expected_kcv:
        _forget(made.key_id)
        raise InvalidInput(
            f"合成结果的校验值为 {made.kcv}，应为 {ceremony.expected_kcv}：有分量录入错误，请核对后重新录入",
            f"the result has the check value {made.kcv}, not {ceremony.expected_kcv}: a component is wrong, enter it again",
        )
    return made


def require_free(use: KeyUse, algorithm: int, version: int) -> None:
    """Raises RuleViolated (K1) where this vault has, or had, that version."""
    if any((key.use, key.algorithm, key.level, key.version) == (use, algorithm, Level.ROOT, version) for key in vault().status()):
        raise RuleViolated(f"K1：{use} 的版本 {version} 已存在", f"K1: version {version} of {use} is there already", rule="K1")


def _forget(key_id: int) -> None:
    """Its row goes with the caller's transaction; an object in a token has to be ended by hand."""
    row = Key.objects.get(pk=key_id)
    if row.object_id:
        slot = Slot(
            row.key_set_id, KeyUse(row.use), KeyAlgorithm(row.algorithm), Level(row.level), row.owner, row.version, row.exportable
        )
        vault().keeper.destroy(Handle(slot, None, row.object_id))


def _sealed(ceremony: Ceremony, parts: Sequence[CeremonyComponent]) -> list[SealedComponent]:
    return [
        SealedComponent(part.number, _context(ceremony), bytes(part.sealed), bytes.fromhex(part.check_value))
        for part in parts
        if part.sealed is not None
    ]


def _context(ceremony: Ceremony) -> str:
    return f"ceremony {ceremony.pk} {ceremony.use}"


# --- transcripts


def sign_transcript(document: bytes) -> tuple[bytes, bytes]:
    """Public key and signature."""
    return vault().sign_as(_TRANSCRIPT, document)


def transcript_keys() -> list[bytes]:
    """The public keys this vault signs transcripts with."""
    return [vault().sign_as(_TRANSCRIPT, b"whose transcripts are these")[0]]


# --- what two people decided


def require_key(key_id: int) -> None:
    """Raises NotFound where there is no such key."""
    vault().get_key(key_id)


def activate(key_id: int, parameters: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    """`parameters["overlap_days"]`: how long the version before is still accepted; the vault's own measure without it."""
    days = parameters.get("overlap_days")
    overlap = {} if days is None else {"overlap": timedelta(days=int(days))}
    done = vault().activate(key_id, actor=_for_this(actor, "keys.activate"), **overlap)
    return {"state": done.state, "version": done.version, "kcv": done.kcv}


def destroy(key_id: int, *, actor: Actor) -> dict[str, Any]:
    """The key and all that was derived from it end."""
    done = vault().destroy(key_id, actor=_for_this(actor, "keys.destroy"))
    return {"state": done.state, "version": done.version, "kcv": done.kcv}


def export(key_id: int, parameters: dict[str, Any], *, actor: Actor) -> dict[str, Any]:
    """The key ciphered under the zone key `parameters["zone_key_id"]`, and the check values of both."""
    made = vault().export(key_id, zone_key_id=int(parameters["zone_key_id"]), actor=_for_this(actor, "keys.export"))
    return {"cryptogram": made.cryptogram.hex().upper(), "kcv": made.kcv, "zone_kcv": made.zone_kcv}


def check_parameters(parameters: dict[str, Any]) -> None:
    """Refuse what cannot be carried out later. Raises InvalidInput."""
    days = parameters.get("overlap_days", 0)
    if not isinstance(days, int) or not 0 <= days <= _MAX_OVERLAP_DAYS:
        raise InvalidInput(f"重叠期为 0 至 {_MAX_OVERLAP_DAYS} 天", f"an overlap has 0 to {_MAX_OVERLAP_DAYS} days")


def _for_this(actor: Actor, permission: str) -> Actor:
    return Actor(actor.name, frozenset({permission}))
