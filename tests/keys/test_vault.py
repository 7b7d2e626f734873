"""The vault's operations as chips, cards and modules meet them, on the software keeper and on a token."""

import os
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from onecard.datacenter.home import Home
from onecard.kernel.clock import ManualClock
from onecard.kernel.errors import InvalidInput, RuleViolated
from onecard.protocol.purse import proofs, secure
from onecard.protocol.purse.ciphers import Algorithm
from onecard.protocol.purse.diversify import area_factor, card_factor, diversify_path
from onecard.protocol.purse.proofs import Load
from onecard.services.keys import api
from onecard.services.keys.api import CardRef, KeyAlgorithm, KeyUse, TacBatch, TacVerdict
from tests.keys.conftest import ADMIN, FAST
from tests.keys.softhsm import softhsm
from tests.keys.support import CARD, MOMENT, OPERATOR, batch, bring_in, chip_tac, purchase

REF = CardRef(OPERATOR, CARD)
DES3 = Algorithm.DES3


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with softhsm(tmp_path_factory.mktemp("softhsm")) as variables:
        yield variables


@pytest.fixture(params=["software", "pkcs11"])
def empty(request: pytest.FixtureRequest, home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[api.Vault]:
    """A vault without keys, of either kind."""
    if request.param == "pkcs11":
        for name, value in request.getfixturevalue("token").items():
            monkeypatch.setenv(name, value)
        api.init_vault(None, keeper="pkcs11", actor=ADMIN)
    else:
        api.init_vault("correct horse battery staple", actor=ADMIN, kdf=FAST)
        (home.path / "passphrase").write_text("correct horse battery staple")
        monkeypatch.setenv("ONECARD_VAULT_PASSPHRASE_FILE", str(home.path / "passphrase"))
    vault = api.open_vault(clock=clock)
    yield vault
    vault.close()


def test_a_demonstration_vault_has_every_use_in_force_and_is_made_once(home: Home) -> None:
    api.init_demo(home, kdf=FAST)
    vault = api.open_vault()
    made = vault.status()
    api.init_demo(home, kdf=FAST)
    assert vault.status() == made
    active = {(key.use, key.algorithm) for key in made if key.state == "active"}
    assert {use for use, _ in active} == set(KeyUse)
    assert (KeyUse.TAC, KeyAlgorithm.SM4) in active


def test_the_demonstrations_maker_knows_the_transport_key(home: Home) -> None:
    api.init_demo(home, kdf=FAST, uses=[KeyUse.TRANSPORT])
    challenge = os.urandom(8)
    answer = api.open_vault().open_personalisation(REF).external_authentication("card_control", challenge, initial=True)
    assert answer == secure.external_authentication(DES3, api.demo_maker_key(home, DES3), challenge)


def test_tacs_of_many_operators_versions_and_algorithms_in_one_batch(empty: api.Vault) -> None:
    root = os.urandom(16)
    version = bring_in(empty, KeyUse.TAC, root).version
    data = [purchase(number) for number in range(60)]
    right = [chip_tac(root, one, card=CARD + number) for number, one in enumerate(data)]
    tac = [value ^ (number % 5 == 0) for number, value in enumerate(right)]
    operator = [OPERATOR if number % 3 else OPERATOR + 1 for number in range(60)]
    versions = [version if number % 7 else 200 for number in range(60)]
    algorithm = [0 if number % 11 else 9 for number in range(60)]
    verdicts = empty.verify_tacs(
        TacBatch(operator, [CARD + number for number in range(60)], versions, algorithm, data, tac, [1] * 60)
    )
    for number, verdict in enumerate(verdicts):
        if not number % 7 or not number % 11:
            assert verdict is TacVerdict.NO_KEY
        else:
            assert verdict is (TacVerdict.OK if number % 3 and number % 5 else TacVerdict.WRONG)
    assert empty.verify_tacs(TacBatch([], [], [], [], [], [], [])) == []
    odd = TacBatch([0, 10**9], [CARD] * 2, [version] * 2, [0] * 2, data[:2], right[:2], [1] * 2)
    assert empty.verify_tacs(odd) == [TacVerdict.NO_KEY] * 2


def test_a_load_is_proved_by_the_chip_answered_and_confirmed(empty: api.Vault) -> None:
    root, tac_root, random = os.urandom(16), os.urandom(16), os.urandom(4)
    version = bring_in(empty, KeyUse.LOAD, root).version
    bring_in(empty, KeyUse.TAC, tac_root)
    load = Load(5000, 2, 7, 1200, 3, MOMENT)
    factors = (area_factor(OPERATOR), card_factor(CARD))
    session = proofs.load_session(DES3, diversify_path(DES3, root, factors), random=random, online_counter=3)
    mac1 = proofs.mac4(DES3, session, load.mac1_data())
    key = {"random": random, "version": version, "algorithm": 0}
    assert empty.load_mac1_ok(REF, load, mac1=mac1, **key)  # type: ignore[arg-type]
    assert not empty.load_mac1_ok(REF, load, mac1=bytes(4), **key)  # type: ignore[arg-type]
    assert not empty.load_mac1_ok(CardRef(OPERATOR, CARD + 1), load, mac1=mac1, **key)  # type: ignore[arg-type]
    assert empty.load_mac2(REF, load, **key) == proofs.mac4(DES3, session, load.mac2_data())  # type: ignore[arg-type]
    tac = proofs.tac(DES3, diversify_path(DES3, tac_root, factors), load.tac_data())
    assert empty.load_tac_ok(REF, load, version=1, algorithm=0, tac=tac)
    assert not empty.load_tac_ok(REF, load, version=1, algorithm=0, tac=bytes(4))
    with pytest.raises(api.KeyMissing):
        empty.load_mac2(REF, load, random=random, version=9, algorithm=0)
    with pytest.raises(api.KeyMissing):
        empty.load_mac2(REF, load, random=random, version=version, algorithm=77)
    with pytest.raises(InvalidInput):
        empty.load_mac2(REF, load, random=b"", version=version, algorithm=0)
    with pytest.raises(InvalidInput):
        empty.load_mac2(CardRef(0, CARD), load, **key)  # type: ignore[arg-type]


def test_a_card_is_given_its_own_keys_under_the_makers_and_then_under_its_own(empty: api.Vault) -> None:
    maker, control, purse = (os.urandom(16) for _ in range(3))
    bring_in(empty, KeyUse.TRANSPORT, maker)
    bring_in(empty, KeyUse.CARD_CONTROL, control)
    version = bring_in(empty, KeyUse.PURCHASE, purse).version
    keys = empty.open_personalisation(REF)
    assert keys.versions() == {KeyUse.PURCHASE: (version, 1, 0), KeyUse.CARD_CONTROL: (1, 1, 0)}
    factors, header, challenge = (area_factor(OPERATOR), card_factor(CARD)), b"\x84\xd4\x01\x01", os.urandom(4)
    for initial, over in ((True, maker), (False, diversify_path(DES3, control, factors))):
        command = keys.key_command(header, b"12345", "purchase", challenge=challenge, under="card_control", initial=initial)
        body = secure.decipher_body(DES3, over, command[5:-4])
        assert body == b"12345" + diversify_path(DES3, purse, factors)
        mac = keys.mac(header, command[5:-4], challenge=challenge, under="card_control", initial=initial)
        assert mac == command[-4:] == secure.command_mac(DES3, over, header, command[5:-4], challenge=challenge)
        answer = keys.external_authentication("card_control", challenge, initial=initial)
        assert answer == secure.external_authentication(DES3, over, challenge)
    with pytest.raises(api.KeyMissing):
        keys.mac(header, b"", challenge=challenge, under="block", initial=False)


def test_a_units_application_has_keys_of_its_own(empty: api.Vault) -> None:
    root = os.urandom(16)
    version = bring_in(empty, KeyUse.LOAD, root).version
    load = Load(5000, 2, 7, 1200, 3, MOMENT)
    key = diversify_path(DES3, root, (area_factor(OPERATOR), card_factor(35), card_factor(CARD)))
    session = proofs.load_session(DES3, key, random=bytes(4), online_counter=3)
    made = empty.load_mac2(CardRef(OPERATOR, CARD, 35), load, random=bytes(4), version=version, algorithm=0)
    assert made == proofs.mac4(DES3, session, load.mac2_data())


def test_a_module_is_given_roots_that_may_leave(empty: api.Vault) -> None:
    maker, control, purse = (os.urandom(16) for _ in range(3))
    bring_in(empty, KeyUse.TRANSPORT, maker)
    bring_in(empty, KeyUse.SAM_CONTROL, control)
    bring_in(empty, KeyUse.PURCHASE, purse)
    keys, header, challenge = empty.open_sam_personalisation(77), b"\x84\xd4\x01\x01", os.urandom(4)
    own = keys.key_command(header, b"12345", "sam_control", challenge=challenge, under="sam_control", initial=True)
    assert secure.decipher_body(DES3, maker, own[5:-4]) == b"12345" + diversify_path(DES3, control, [card_factor(77)])
    root: Callable[[], bytes] = lambda: keys.key_command(  # noqa: E731
        header, b"12345", "purchase", challenge=challenge, under="sam_control", initial=True
    )
    if empty.keeper.name == "pkcs11":
        with pytest.raises(api.KeyNotExportable):
            root()
    else:
        assert secure.decipher_body(DES3, maker, root()[5:-4]) == b"12345" + purse


def test_payment_codes_are_signed_and_their_keys_rotate(empty: api.Vault) -> None:
    with pytest.raises(api.KeyMissing):
        empty.sign_pay_code(b"code")
    for number in (1, 2):
        made = empty.rotate(KeyUse.PAY_CODE, algorithm=KeyAlgorithm.ED25519, actor=ADMIN)
        assert set(empty.pay_code_keys()) == set(range(1, number + 1))  # terminals learn the next key before it signs
        empty.activate(made.key_id, actor=ADMIN)
        key_no, signature = empty.sign_pay_code(b"code")
        assert key_no == number
        Ed25519PublicKey.from_public_bytes(empty.pay_code_keys()[key_no]).verify(signature, b"code")


def test_a_token_without_sm4_says_so(empty: api.Vault) -> None:
    if empty.keeper.name == "software":
        assert empty.rotate(KeyUse.TAC, algorithm=KeyAlgorithm.SM4, actor=ADMIN).algorithm is KeyAlgorithm.SM4
        return
    with pytest.raises(InvalidInput, match="has no SM4"):
        empty.rotate(KeyUse.TAC, algorithm=KeyAlgorithm.SM4, actor=ADMIN)
    assert empty.status() == []


def test_destroying_ends_the_tokens_object_with_the_row(empty: api.Vault) -> None:
    made = empty.rotate(KeyUse.TAC, actor=ADMIN)
    path = empty._current()[0].entries[made.key_id].path
    empty.keeper.check_value(path)
    empty.destroy(made.key_id, actor=ADMIN)
    assert made.key_id not in empty._current()[0].entries
    if empty.keeper.name == "pkcs11":
        with pytest.raises(api.KeeperFault):
            empty.keeper.check_value(path)


def test_another_process_sees_a_change_at_its_next_use(empty: api.Vault, clock: ManualClock) -> None:
    other = api.open_vault(clock=clock)
    root, data = os.urandom(16), purchase()
    made = bring_in(empty, KeyUse.TAC, root)
    right = batch((CARD, data, chip_tac(root, data)), version=made.version)
    assert other.verify_tacs(right) == [TacVerdict.OK]
    empty.retire(made.key_id, actor=ADMIN)
    assert other.verify_tacs(right) == [TacVerdict.NO_KEY]
    other.store.close()


def test_a_token_that_is_missing_or_locked_says_which(home: Home, token: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(api.VaultLocked, match="ONECARD_PKCS11_MODULE"):
        api.init_vault(None, keeper="pkcs11", actor=ADMIN)
    for name, value in token.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ONECARD_PKCS11_TOKEN", "no-such")
    with pytest.raises(api.VaultLocked, match="cannot open the PKCS#11 token no-such"):
        api.init_vault(None, keeper="pkcs11", actor=ADMIN)
    monkeypatch.delenv("ONECARD_PKCS11_PIN_FILE")
    with pytest.raises(api.VaultLocked, match="no PIN of the token"):
        api.init_vault(None, keeper="pkcs11", actor=ADMIN)
    with pytest.raises(api.VaultLocked, match="no key vault yet"):
        api.open_vault()


def test_the_process_has_one_vault(home: Home) -> None:
    api.init_demo(home, kdf=FAST, uses=())
    assert api.open_vault() is api.open_vault()


def test_a_real_vault_gets_no_keys_of_a_demonstration(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    api.init_vault("correct horse battery staple", actor=ADMIN, kdf=FAST)
    (home.path / "passphrase").write_text("correct horse battery staple")
    monkeypatch.setenv("ONECARD_VAULT_PASSPHRASE_FILE", str(home.path / "passphrase"))
    with pytest.raises(RuleViolated, match="K4"):
        api.init_demo(home, kdf=FAST)
    assert api.open_vault().status() == []
