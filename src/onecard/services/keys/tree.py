"""Changes of the key tree, in the caller's transaction: new versions, activation with its overlap, retirement, destruction.

Changes to one key set wait for one another at the row of the set. Permissions and the log of uses are the vault's (`vault.py`).
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.protocol.purse.diversify import area_factor
from onecard.services.keys.book import unit_factor
from onecard.services.keys.keepers.base import Slot, Stored
from onecard.services.keys.models import Key, KeySet, KeyState, Origin
from onecard.services.keys.uses import KeyAlgorithm, KeyUse, Level, algorithms_of

MAX_VERSION = 255


def add_version(
    set_code: str,
    use: KeyUse,
    algorithm: KeyAlgorithm,
    *,
    level: Level,
    owner: int,
    version: int | None,
    index: int,
    exportable: bool,
    origin: Origin,
    make: Callable[[Slot], Stored],
    now: datetime,
) -> Key:
    """The next version of a key (or the one named), pending. Raises InvalidInput, NotFound, RuleViolated (K1)."""
    if algorithm not in algorithms_of(use):
        raise InvalidInput(f"{use} 密钥不用算法 {algorithm.name}", f"a key for {use} has another algorithm than {algorithm.name}")
    if (level is Level.ROOT) != (owner == 0):
        raise InvalidInput("根密钥不属于任何单位，其余须属于一个单位", "a root key has no owner, every other key has one")
    with transaction.atomic():
        family = lock_set(set_code)
        version = _next_version(family, use, algorithm, level=level, owner=owner, wanted=version)
        slot = Slot(family.pk, use, algorithm, level, owner, version, exportable)
        made = make(slot)
        return Key.objects.create(
            key_set=family,
            use=use,
            algorithm=algorithm,
            level=level,
            owner=owner,
            version=version,
            index=index,
            origin=origin,
            exportable=exportable,
            kcv=made.kcv,
            public=made.public,
            blob=made.blob,
            object_id=made.object_id,
            created_at=now,
        )


def add_derived(parent_id: int, level: Level, owner: int, *, kcv: Callable[[Key, bytes], bytes], now: datetime) -> Key:
    """The row of an operator's or unit's key below another one, under its version number. Raises NotFound, InvalidInput."""
    factor = _factor(level, owner)
    with transaction.atomic():
        parent = get(parent_id)
        family = lock_set(parent.key_set.code)
        if parent.level >= level or parent.state == KeyState.DESTROYED or parent.use in (KeyUse.PAY_CODE, KeyUse.TRANSPORT):
            raise InvalidInput(f"密钥 {parent} 之下不能分散该级密钥", f"below the key {parent} there is none of that level")
        found = Key.objects.filter(
            key_set=family, use=parent.use, algorithm=parent.algorithm, level=level, owner=owner, version=parent.version
        ).first()
        return found or Key.objects.create(
            key_set=family,
            use=parent.use,
            algorithm=parent.algorithm,
            level=level,
            owner=owner,
            version=parent.version,
            index=parent.index,
            origin=Origin.DERIVED,
            parent=parent,
            factor=factor,
            kcv=kcv(parent, factor),
            created_at=now,
        )


def activate(key_id: int, *, overlap: timedelta, now: datetime) -> Key:
    """The version that new cards get from now on; the one before is accepted for the overlap. Raises NotFound, RuleViolated."""
    if overlap < timedelta(0):
        raise InvalidInput("过渡期不能为负", "an overlap is not negative")
    with transaction.atomic():
        key = _locked(key_id)
        if key.state not in (KeyState.PENDING, KeyState.RETIRING):
            raise _refuse(key, "启用", "activated")
        same = Key.objects.filter(key_set=key.key_set, use=key.use, algorithm=key.algorithm, level=key.level, owner=key.owner)
        before = same.filter(state=KeyState.ACTIVE)
        if overlap:
            before.update(state=KeyState.RETIRING, retiring_until=now + overlap)
        else:
            before.update(state=KeyState.RETIRED, retired_at=now)
        key.state, key.activated_at, key.retiring_until = KeyState.ACTIVE, now, None
        key.save(update_fields=["state", "activated_at", "retiring_until"])
    return key


def retire(key_id: int, *, now: datetime) -> Key:
    """No longer accepted from now on: the end of an overlap before its date, or of a key that is known to others."""
    with transaction.atomic():
        key = _locked(key_id)
        if key.state not in (KeyState.ACTIVE, KeyState.RETIRING):
            raise _refuse(key, "停用", "retired")
        key.state, key.retired_at = KeyState.RETIRED, now
        key.save(update_fields=["state", "retired_at"])
    return key


def destroy(key_id: int, *, now: datetime) -> Key:
    """Its bytes go, and every key derived from it. Raises NotFound, RuleViolated (K1: an active key is replaced first)."""
    with transaction.atomic():
        key = _locked(key_id)
        if key.state in (KeyState.ACTIVE, KeyState.DESTROYED):
            raise _refuse(key, "销毁", "destroyed")
        for child in Key.objects.filter(parent=key).exclude(state=KeyState.DESTROYED):
            if child.state == KeyState.ACTIVE:
                retire(child.pk, now=now)
            destroy(child.pk, now=now)
        key.state, key.destroyed_at, key.blob, key.object_id = KeyState.DESTROYED, now, None, ""
        key.save(update_fields=["state", "destroyed_at", "blob", "object_id"])
    return key


def end_overlaps(now: datetime) -> int:
    """Write down which overlaps have run out; they are not accepted any more since their date. Gives their number."""
    ended = Key.objects.filter(state=KeyState.RETIRING, retiring_until__lte=now)
    return ended.update(state=KeyState.RETIRED, retired_at=F("retiring_until"))


def get(key_id: int) -> Key:
    """Raises NotFound."""
    key = Key.objects.select_related("key_set").filter(pk=key_id).first()
    if key is None:
        raise NotFound(f"无此密钥：{key_id}", f"no such key: {key_id}")
    return key


def lock_set(code: str) -> KeySet:
    """Lock a key set's row. Raises NotFound."""
    family = KeySet.objects.select_for_update().filter(code=code).first()
    if family is None:
        raise NotFound(f"无此密钥组：{code}", f"no such key set: {code}")
    return family


def _locked(key_id: int) -> Key:
    """The key as it is once its set is ours."""
    found = KeySet.objects.select_for_update().filter(keys=key_id).first()
    key = get(key_id)  # raises where there is none
    assert found is not None
    return key


def _next_version(family: KeySet, use: KeyUse, algorithm: KeyAlgorithm, *, level: Level, owner: int, wanted: int | None) -> int:
    same = Key.objects.filter(key_set=family, use=use, algorithm=algorithm, level=level, owner=owner)
    version = wanted if wanted is not None else (same.aggregate(last=Max("version"))["last"] or 0) + 1
    if not 1 <= version <= MAX_VERSION:
        raise RuleViolated(
            f"K1：密钥版本为 1 至 {MAX_VERSION}", f"K1: a key has versions 1 to {MAX_VERSION}", rule="K1", limit=MAX_VERSION
        )
    if same.filter(version=version).exists():
        raise RuleViolated(f"K1：{use} 的版本 {version} 已存在", f"K1: version {version} of {use} is there already", rule="K1")
    return version


def _factor(level: Level, owner: int) -> bytes:
    if level is Level.ROOT or owner <= 0:
        raise InvalidInput("只有运营单位或应用的密钥可由上级分散", "only keys of an operator or of an application are derived")
    try:
        return area_factor(owner) if level is Level.OPERATOR else unit_factor(owner)
    except ValueError:
        raise InvalidInput(f"无法由编号 {owner} 得出分散因子", f"the number {owner} gives no factor") from None


def _refuse(key: Key, zh: str, en: str) -> RuleViolated:
    state = KeyState(key.state)
    return RuleViolated(
        f"K1：密钥 {key} 当前{state.label}，不能{zh}", f"K1: the key {key} is {state.value}: it cannot be {en}", rule="K1"
    )
