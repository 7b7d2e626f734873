"""What the engine says to a chip: generators that yield a Command and are sent its Response; no database, no reader.

look      who the card is: its serial number (UID), and what its public file says
locate    where an interrupted personalisation stands, asked of the chip itself
prove     that what was written is what was meant, and that the keys answer for themselves
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from onecard.kernel.errors import RuleViolated
from onecard.protocol.purse import commands, files
from onecard.protocol.purse.apdu import Command, Response, Status
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.commands import LoadInit, PurchaseInit
from onecard.protocol.purse.files import FileId, HolderData, PublicData
from onecard.protocol.purse.perso import Authenticate, CardKey, Exchange, KeySource, PersoPlan, PersoRefused, PersoStep, is_sealed
from onecard.protocol.purse.proofs import Load, TransactionType
from onecard.services.issuing.errors import ChipRefused, WrongCard

T = TypeVar("T")
Talk = Generator[Command, Response, T]
"""A conversation with a chip that ends in a T."""

_GET_UID: Final = Command(0xFF, 0xCA, 0x00, 0x00, le=256)
"""The reader's own command for the serial number of a contactless card (PC/SC part 3)."""
_GET_PRODUCTION_DATA: Final = Command(0x80, 0xCA, 0x9F, 0x7F, le=256)
"""The chip's production data: what stands for a serial number where the reader has no contactless field."""
_NEEDED: Final = (
    CardKey.PURCHASE,
    CardKey.LOAD,
    CardKey.TAC,
    CardKey.CARD_CONTROL,
    CardKey.CARD_MAINTENANCE,
    CardKey.APP_CONTROL,
    CardKey.APP_MAINTENANCE,
)
_PROOF_TERMINAL: Final = 0
_PROOF_FEN: Final = 1


class Keys(KeySource, Protocol):
    """The vault's keys of one card (`open_personalisation`)."""

    def versions(self) -> Mapping[Any, tuple[int, int, int]]: ...


class LoadProof(Protocol):
    """Whether a chip's MAC1 of a load is right, for this card (the vault's `load_mac1_ok`)."""

    def __call__(self, load: Load, *, random: bytes, version: int, algorithm: int, mac1: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a card says of itself before a key was shown. `public` None: no purse application, or nothing written in it."""

    uid: str
    has_application: bool
    public: PublicData | None


@dataclass(frozen=True, slots=True)
class Content:
    """What a card is to carry."""

    public: PublicData
    holder: HolderData


def look(uid: bytes = b"", *, serial: int | None = None) -> Talk[Seen]:
    """Recognise a card by reading only. `uid`: where the reader has told it; a card that tells none is known by its serial.

    Raises ChipRefused for a card that has neither.
    """
    known = uid.hex() or (yield from _read_uid(serial))
    answer = yield commands.select_name(files.PURSE_AID)
    if not answer.is_ok:
        blocked = answer.sw in (Status.APPLICATION_INVALID, Status.FUNCTION_NOT_SUPPORTED, Status.APPLICATION_BLOCKED_FOR_GOOD)
        return Seen(known, has_application=blocked, public=None)
    answer = yield commands.read_binary(files.sfi(FileId.PUBLIC), files.PUBLIC_BYTES)
    return Seen(known, has_application=True, public=_parse_public(answer))


def open_as_delivered(keys: Keys) -> Talk[None]:
    """Have the maker's key open the card; changes nothing. Raises ChipRefused."""
    _ok("blank.select", (yield commands.select_file(FileId.MASTER)))
    algorithm = plan_algorithm(keys.versions())
    challenge = _ok("blank.challenge", (yield commands.get_challenge(algorithm.block_bytes))).data
    _ok("blank.transport_key", (yield Authenticate(CardKey.CARD_CONTROL, initial=True).build(keys, challenge)))


def is_written(step: PersoStep, plan: PersoPlan, keys: KeySource) -> Talk[bool]:
    """Whether the effect of a step is on the card. Of a key that cannot be asked for, False: adding it again is answered 6A89."""
    if step is plan.steps[-1]:
        return (yield from played(is_sealed(plan, keys)))
    _, _, what = step.name.partition(".")
    if step.name == "purse.create":
        return (yield commands.select_name(files.PURSE_AID)).is_ok
    if what == "write.0015" and isinstance(body := getattr(step.action, "body", None), bytes):
        yield commands.select_name(files.PURSE_AID)
        answer = yield commands.read_binary(files.sfi(FileId.PUBLIC), files.PUBLIC_BYTES)
        return answer.is_ok and answer.data == body
    return False


def prove(plan: PersoPlan, keys: Keys, content: Content, *, load_proof: LoadProof) -> Talk[None]:
    """Read back and prove the keys; moves no money and no counter. Raises WrongCard, ChipRefused."""
    if not (yield from played(is_sealed(plan, keys))):
        raise WrongCard("verify.card_control", "卡片主控密钥未替换", "the card's control key was not replaced")
    _ok("verify.select", (yield commands.select_name(files.PURSE_AID)))
    challenge = _ok("verify.app_control", (yield commands.get_challenge(plan.algorithm.block_bytes))).data
    action = Authenticate(CardKey.APP_CONTROL, initial=False)
    _ok("verify.app_control", (yield action.build(keys, challenge)))
    yield from _prove_files(content)
    yield from _prove_purse(keys.versions(), load_proof)


def _prove_files(content: Content) -> Talk[None]:
    expected = {FileId.PUBLIC: bytes(content.public), FileId.HOLDER: bytes(content.holder)}
    for number, data in expected.items():
        step = f"verify.{number:04X}"
        answer = _ok(step, (yield commands.read_binary(files.sfi(number), len(data))))
        if answer.data != data:
            raise WrongCard(step, f"文件 {number:04X} 内容不符", f"file {number:04X} holds something else")


def _prove_purse(versions: Mapping[Any, tuple[int, int, int]], load_proof: LoadProof) -> Talk[None]:
    """Empty, unused, with the right versions; and the chip's MAC1 for a load that is never carried out proves its load key."""
    balance = _ok("verify.balance", (yield commands.get_balance()))
    if commands.parse_balance(balance.data):
        raise WrongCard("verify.balance", "钱包余额不为零", "the purse is not empty")
    version, index, algorithm = versions[CardKey.PURCHASE]
    ready = yield commands.initialize_for_purchase(_PROOF_FEN, _PROOF_TERMINAL, key_index=index)
    # An empty purse may refuse at once; one that allows it tells version and algorithm.
    if ready.sw != Status.INSUFFICIENT_BALANCE:
        purchase = PurchaseInit.parse(_ok("verify.purchase", ready).data)
        if (purchase.key_version, purchase.algorithm) != (version, algorithm) or purchase.counter:
            raise WrongCard("verify.purchase", "消费密钥版本或计数器不符", "the purchase key's version or the counter differs")
    version, index, algorithm = versions[CardKey.LOAD]
    answer = _ok("verify.load", (yield commands.initialize_for_load(_PROOF_FEN, _PROOF_TERMINAL, key_index=index)))
    ready_load = LoadInit.parse(answer.data)
    if (ready_load.key_version, ready_load.algorithm) != (version, algorithm):
        raise WrongCard("verify.load", "圈存密钥版本不符", "the load key's version differs")
    load = ready_load.load(_PROOF_FEN, TransactionType.EP_LOAD, terminal_no=_PROOF_TERMINAL)
    if not load_proof(load, random=ready_load.random, version=version, algorithm=algorithm, mac1=ready_load.mac1):
        raise WrongCard("verify.load", "圈存密钥校验失败", "the card's MAC1 is not its load key's")
    yield commands.select_file(FileId.MASTER)  # forgets the load that was begun


def played(run: Generator[Exchange, Response, T]) -> Talk[T]:
    """A run of protocol/purse/perso as a conversation, for runs that change nothing. Raises ChipRefused."""
    try:
        exchange = next(run)
        while True:
            response = yield exchange.command
            exchange = run.send(response)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    except PersoRefused as refused:
        raise ChipRefused(refused.name, refused.sw) from None


def require_same(uid: str) -> Talk[None]:
    """The chip that was recognised still lies there: a relay does not tell when cards are changed. Raises WrongCard.

    A chip without a serial number of its own (a SIM) is known by what is printed on it, and is not asked.
    """
    for command in (_GET_UID, _GET_PRODUCTION_DATA):
        answer = yield command
        if answer.is_ok and len(answer.data) >= 4:
            if not uid.startswith("serial-") and answer.data[:32].hex() != uid:
                raise WrongCard("look.uid", "卡片在制作中被调换", "the card was changed for another during the work")
            return


def _read_uid(serial: int | None) -> Talk[str]:
    for command in (_GET_UID, _GET_PRODUCTION_DATA):
        answer = yield command
        if answer.is_ok and len(answer.data) >= 4:
            return answer.data[:32].hex()
    if serial is not None:
        return f"serial-{serial}"
    raise ChipRefused("look.uid", answer.sw)


def _parse_public(answer: Response) -> PublicData | None:
    if not answer.is_ok or not any(answer.data[:20]):
        return None
    try:
        return PublicData.parse(answer.data)
    except ValueError:
        return None


def _ok(step: str, answer: Response) -> Response:
    if not answer.is_ok:
        raise ChipRefused(step, answer.sw)
    return answer


def require_keys(versions: Mapping[Any, tuple[int, int, int]]) -> None:
    """Every key a purse card is made with, those that a terminal asks for in one version. Raises RuleViolated (K1)."""
    absent = [use for use in _NEEDED if use not in versions]
    if absent:
        raise RuleViolated(f"K1：缺少有效密钥：{'、'.join(absent)}", f"K1: no key in force for {', '.join(absent)}", rule="K1")
    if len({(versions[use][0], versions[use][2]) for use in (CardKey.PURCHASE, CardKey.LOAD, CardKey.TAC)}) != 1:
        raise RuleViolated(
            "K1：消费、圈存、TAC 密钥须为同一版本与算法，请一并换版",
            "K1: purchase, load and TAC key must have one version and one algorithm: rotate them together",
            rule="K1",
        )


def plan_algorithm(versions: Mapping[Any, tuple[int, int, int]]) -> Algorithm:
    """The algorithm the maker delivered the card with: that of its control key."""
    return Algorithm(versions[CardKey.CARD_CONTROL][2])
