"""One touch of a card (C2): recognise it, make it or go on with it or roll it back, prove it, issue it. Database, but no reader.

`touch` is a conversation: it yields commands and is sent answers, whoever carries them (a reader in this process, REST, a test).
It may stop for ever at any of them, or die: nothing is held in memory that the next touch needs.

    look ─ blank ───────► claim a number, a stock card and the chip (one commit) ─► write ─► prove ─► issue + done (one commit)
         ├ ours ────────► take over ───────────────────────────────────────────────► write from where the chip stands …
         ├ ours, to be rolled back ─► erase ─► stock back + rolled_back (one commit)
         └ issued, foreign ─► refused

Each writing command stands between two lines of the journal: INTENT, committed before it goes out, and the outcome after it.
"""

import uuid
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, Protocol

from onecard.kernel.errors import InvalidInput, NotFound, RuleViolated
from onecard.protocol.purse.apdu import Response, Status
from onecard.protocol.purse.perso import Exchange, PersoPlan, PersoRefused, erase, is_sealed, personalise
from onecard.protocol.purse.perso_card import PurseProfile, purse_plan
from onecard.services.issuing import chip, claims, ends, journal
from onecard.services.issuing.chip import Content, Keys, Talk
from onecard.services.issuing.claims import Request
from onecard.services.issuing.errors import ChipRefused, ForeignCard, WrongCard
from onecard.services.issuing.models import Job, JobState, LinePhase
from onecard.services.keys.api import CardRef


class Vault(Protocol):
    """What of the vault a personalisation needs."""

    def open_personalisation(self, card: Any) -> Keys: ...

    def load_mac1_ok(self, card: Any, load: Any, *, random: bytes, version: int, algorithm: int, mac1: bytes) -> bool: ...


_NO_CARD = 0
"""The maker's key is the same for every card."""


def card_ref(job: Job) -> CardRef:
    """The card of a claimed job."""
    assert job.card_no is not None
    return CardRef(job.operator_id, job.card_no)


@unique
class Outcome(StrEnum):
    """How a touch ended."""

    DONE = "done"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    NOTHING_QUEUED = "nothing_queued"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    outcome: Outcome
    job_id: int | None = None
    card_no: int | None = None
    zh: str = ""
    en: str = ""
    resumed: bool = False


def touch(request: Request, vault: Vault) -> Talk[Result]:
    """Do what is to be done with the card that lies there.

    Raises AlreadyIssued, ForeignCard and TakenOver; ChipRefused where the card does not even say who it is.
    """
    seen = yield from chip.look(request.uid, serial=request.serial)
    token = uuid.uuid4()
    job = claims.find_open(seen, request, token)
    resumed = job is not None
    if job is None:
        yield from _require_blank(request, vault)
        job = claims.claim_next(seen, request, token)
        if job is None:
            return Result(Outcome.NOTHING_QUEUED)
    result = yield from _Work(job, token, request, vault).run()
    return Result(result.outcome, job.pk, job.card_no, result.zh, result.en, resumed=resumed)


def _require_blank(request: Request, vault: Vault) -> Talk[None]:
    """Before anything is claimed: the keys are there, the maker's key opens the card. Costs a foreign card one of its tries."""
    operator_id = claims.operator_of(request)
    if operator_id is None:
        return
    keys = vault.open_personalisation(CardRef(operator_id, _NO_CARD))
    chip.require_keys(keys.versions())
    try:
        yield from chip.open_as_delivered(keys)
    except ChipRefused as refused:
        raise ForeignCard(
            f"此卡不是本平台的空白卡：{refused.zh}", f"the card is no blank of this platform: {refused.en}"
        ) from None


@dataclass(slots=True)
class _Work:
    """A claimed job and the card it belongs to."""

    job: Job
    token: uuid.UUID
    request: Request
    vault: Vault
    keys: Keys = field(init=False)
    plan: PersoPlan = field(init=False)
    content: Content = field(init=False)
    card: Any = field(init=False)

    def run(self) -> Talk[Result]:
        self.card = card_ref(self.job)
        self.keys = self.vault.open_personalisation(self.card)
        self.content = claims.content_of(self.job)
        versions = ends.fix_versions(self.job, self.token, self.keys.versions())
        profile = PurseProfile(self.content.public, self.content.holder)
        self.plan = purse_plan(profile, versions, algorithm=chip.plan_algorithm(versions))
        if self.job.roll_back:
            return (yield from self._roll_back())
        try:
            yield from self._write()
            yield from self._prove()
            return self._issue()
        except (ChipRefused, WrongCard) as refused:
            # Nothing was written: the transport key does not open it, so it is no blank of ours, and the stock card is elsewhere.
            if not journal.has_written(self.job):
                ends.condemn(self.job, self.token, refused, bad=False)
                ends.end_rolled_back(self.job, self.token, self.request.actor, scrap=False)
                raise ForeignCard(
                    f"此卡不是本平台的空白卡：{refused.zh}", f"the card is no blank of this platform: {refused.en}"
                ) from None
            ends.condemn(self.job, self.token, refused, bad=True)
        except (RuleViolated, InvalidInput, NotFound) as refused:  # the issue was refused: the recipient's case, not the card's
            ends.condemn(self.job, self.token, refused, bad=False, again=False)
        return (yield from self._roll_back())

    def _write(self) -> Talk[None]:
        """Every step whose effect is not on the card yet."""
        start = yield from self._where()
        if start < len(self.plan.steps):
            yield from self._require_same()
            yield from self._play(personalise(self.plan, self.keys, start=start))
        journal.advance(self.job, self.token, JobState.VERIFYING)

    def _where(self) -> Talk[int]:
        """The first step that is not on the card: after those the journal knows, and the one it is unsure of is read."""
        names = self.plan.names
        done = journal.steps_done(self.job)
        start = next((index for index, name in enumerate(names) if name not in done), len(names))
        if start < len(names) and journal.open_intent(self.job) == names[start]:
            step = self.plan.steps[start]
            if (yield from chip.is_written(step, self.plan, self.keys)):
                journal.write(self.job, self.token, step.name, LinePhase.FOUND, note="读卡确认 read from the card")
                return start + 1
            journal.write(self.job, self.token, step.name, LinePhase.UNKNOWN, note="中断 interrupted")
        return start

    def _play(self, run: Any) -> Talk[None]:
        """Carry out a run of personalisation with each writing command journalled before and after."""
        try:
            exchange: Exchange = next(run)
            while True:
                response = yield from self._exchange(exchange)
                exchange = run.send(response)
        except StopIteration:
            return
        except PersoRefused as refused:
            raise ChipRefused(refused.name, refused.sw) from None

    def _exchange(self, exchange: Exchange) -> "Talk[Response]":
        if not exchange.writes:
            return (yield exchange.command)
        journal.write(self.job, self.token, exchange.name, LinePhase.INTENT)
        response: Response = yield exchange.command
        if response.is_ok:
            phase = LinePhase.DONE
        else:
            phase = LinePhase.FOUND if response.sw == Status.ALREADY_EXISTS else LinePhase.REFUSED
        journal.write(self.job, self.token, exchange.name, phase, note="" if response.is_ok else f"{response.sw:04X}")
        return response

    def _require_same(self) -> Talk[None]:
        if self.job.uid:
            yield from chip.require_same(self.job.uid)

    def _prove(self) -> Talk[None]:
        def load_proof(load: Any, *, random: bytes, version: int, algorithm: int, mac1: bytes) -> bool:
            return self.vault.load_mac1_ok(self.card, load, random=random, version=version, algorithm=algorithm, mac1=mac1)

        yield from self._require_same()
        yield from chip.prove(self.plan, self.keys, self.content, load_proof=load_proof)

    def _issue(self) -> Result:
        ends.issue(self.job, self.token, self.request.actor)
        return Result(Outcome.DONE)

    def _roll_back(self) -> Talk[Result]:
        """Erase what was written, then give the stock card back; a card that holds our control key by now is scrapped."""
        sealed = False
        try:
            if journal.has_written(self.job):
                sealed = yield from chip.played(is_sealed(self.plan, self.keys))
                yield from self._play(erase(self.plan, self.keys, initial=not sealed))
        except ChipRefused as refused:
            ends.condemn(self.job, self.token, refused, bad=True)
        ended = ends.end_rolled_back(self.job, self.token, self.request.actor, scrap=sealed or self.job.bad)
        outcome = Outcome.FAILED if ended is JobState.FAILED else Outcome.ROLLED_BACK
        return Result(outcome, zh=self.job.reason_zh, en=self.job.reason_en)
