"""One-time codes: made once, used once, answered again to the same device only; what they are refused for."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound, RuleViolated
from onecard.services.actors import Actor
from onecard.services.devices import admission, api
from onecard.services.devices.admit.codes import ALPHABET, CODE_LETTERS
from onecard.services.devices.admit.settings import is_host
from onecard.services.devices.ca import hosts_of
from onecard.services.devices.models import EnrolmentCode, Line, RefusedAttempt, Terminal
from onecard.services.operators import api as operators
from onecard.terminal.enrol import Invitation
from tests.admission.conftest import ADMIN
from tests.services.conftest import NOW, Tree

ADDRESS = "10.1.2.3:50000"


def front_end(tree: Tree) -> int:
    return api.create_line(api.NewLine("食堂", kind="front_end", unit_id=tree.unit))


def behind(tree: Tree, line: int | None) -> int:
    merchant = operators.create_merchant("食堂", unit_id=tree.unit).pk
    return api.create_terminals([api.NewTerminal(merchant, line)])[0]


def csr() -> bytes:
    return api.build_request("what a device calls itself")[1]


def refused(code: str, request: bytes, clock, **kwargs) -> str:
    with pytest.raises(RuleViolated) as caught:
        api.enrol_by_code(code, request, address=ADDRESS, clock=clock, **kwargs)
    assert caught.value.rule == "G2"
    return caught.value.en


def test_a_code_has_eighty_bits_of_letters_that_do_not_look_alike_and_is_nowhere_in_the_clear(tree: Tree, clock) -> None:
    assert len(set(ALPHABET)) == 32 and not set("ILOU") & set(ALPHABET)
    made = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock)
    letters = made.code.replace("-", "")
    assert len(letters) == CODE_LETTERS and set(letters) <= set(ALPHABET) and len(made.code.split("-")) == 4
    assert made.expires_at == NOW + timedelta(hours=24)
    row = EnrolmentCode.objects.get()
    assert letters.encode() not in bytes(row.code_sha256) and row.made_by == "admin"
    assert made.code not in repr(made)


def test_the_qr_code_says_where_with_what_and_whom_to_trust(tree: Tree, clock) -> None:
    api.set_admission_settings("gw.city.example:8445", hours(), actor=ADMIN)
    made = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock)
    assert made.uri == f"onecard://enrol?gateway=gw.city.example:8445&code={made.code}&ca={api.authority().sha256.hex()}"
    found = Invitation.parse(made.uri)
    assert (found.host, found.port, found.code, found.ca_sha256) == ("gw.city.example", 8445, made.code, api.authority().sha256)
    assert made.svg.startswith("<svg") and "<path" in made.svg and "script" not in made.svg


def hours() -> dict[str, int]:
    return {"renew_hours": 6, "warn_hours": 24, "no_new_cards_hours": 72, "no_sales_hours": 168, "stop_hours": 336}


def test_a_front_ends_certificate_is_a_servers_as_well_under_its_own_names(tree: Tree, clock) -> None:
    line = front_end(tree)
    code = api.make_enrolment_code(line_id=line, actor=ADMIN, clock=clock).code
    got = api.enrol_by_code(code, csr(), hosts=["FEP.school.lan", "192.168.7.2"], address=ADDRESS, clock=clock)
    certificate = x509.load_pem_x509_certificate(got.certificate_pem)
    assert (got.line_id, got.terminal_id, got.ca_pem) == (line, 0, api.authority().pem)
    assert certificate.subject.rfc4514_string() == f"CN=line-{line}"
    usages = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"localhost", "127.0.0.1", "fep.school.lan", "192.168.7.2"}
    assert bytes(Line.objects.get(pk=line).certificate_sha256 or b"") == certificate.fingerprint(hashes.SHA256())


def test_a_straight_terminals_certificate_is_no_servers(tree: Tree, clock) -> None:
    line = api.create_line(api.NewLine("车载机", unit_id=tree.unit))
    code = api.make_enrolment_code(line_id=line, actor=ADMIN, clock=clock).code
    got = api.enrol_by_code(code, csr(), hosts=["anything.example"], address=ADDRESS, clock=clock)
    certificate = x509.load_pem_x509_certificate(got.certificate_pem)
    usages = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == [ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(x509.ExtensionNotFound):
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_a_terminal_behind_a_front_end_gets_a_certificate_of_its_own_and_the_front_end_hears_of_it(tree: Tree, clock) -> None:
    line = front_end(tree)
    terminal = behind(tree, line)
    api.enrol(line, csr(), clock=clock)
    code = api.make_enrolment_code(terminal_id=terminal, actor=ADMIN, clock=clock).code
    got = api.enrol_by_code(code, csr(), address=ADDRESS, clock=clock)
    certificate = x509.load_pem_x509_certificate(got.certificate_pem)
    assert (got.line_id, got.terminal_id) == (line, terminal)
    assert certificate.subject.rfc4514_string() == f"CN=terminal-{terminal}"
    row = Terminal.objects.get(pk=terminal)
    assert bytes(row.certificate_sha256 or b"") == certificate.fingerprint(hashes.SHA256())
    assert row.certificate_until == certificate.not_valid_after_utc
    from django.db import connection

    connection.ensure_connection()
    (listed,) = admission.admission_snapshot(connection.connection, at=NOW)
    assert listed.terminals[0].certificate_sha256 == certificate.fingerprint(hashes.SHA256())
    assert listed.terminals[0].driver == "native"


def test_a_terminal_that_is_not_behind_a_front_end_has_no_code_of_its_own(tree: Tree, clock) -> None:
    straight = api.create_line(api.NewLine("直连", unit_id=tree.unit))
    for terminal in (behind(tree, straight), behind(tree, None)):
        with pytest.raises(InvalidInput, match="is not behind a front-end"):
            api.make_enrolment_code(terminal_id=terminal, actor=ADMIN, clock=clock)
    with pytest.raises(NotFound):
        api.make_enrolment_code(terminal_id=4711, actor=ADMIN, clock=clock)
    with pytest.raises(NotFound):
        api.make_enrolment_code(line_id=4711, actor=ADMIN, clock=clock)


def test_a_code_opens_once_and_answers_its_own_device_again_for_ten_minutes(tree: Tree, clock) -> None:
    code = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock).code
    request = csr()
    first = api.enrol_by_code(code, request, address=ADDRESS, clock=clock)
    clock.advance(timedelta(minutes=10))
    assert api.enrol_by_code(code, request, address=ADDRESS, clock=clock) == first
    assert refused(code, csr(), clock) == "G2: the code has been used"
    clock.advance(timedelta(microseconds=1))
    assert refused(code, request, clock) == "G2: the code has been used"
    assert RefusedAttempt.objects.get().times == 2


def test_a_code_is_taken_as_people_type_it(tree: Tree, clock) -> None:
    for write in (str.lower, lambda c: c.replace("-", " "), lambda c: c.replace("1", "l").replace("0", "O")):
        code = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock).code
        assert api.enrol_by_code(write(code), csr(), address=ADDRESS, clock=clock).line_id


def test_codes_that_are_unknown_too_old_withdrawn_or_replaced_open_nothing(tree: Tree, clock) -> None:
    line = front_end(tree)
    assert refused("0" * 16, csr(), clock) == "G2: the code is not valid"
    first = api.make_enrolment_code(line_id=line, actor=ADMIN, clock=clock).code
    second = api.make_enrolment_code(line_id=line, actor=ADMIN, valid=timedelta(hours=1), clock=clock).code
    assert refused(first, csr(), clock) == "G2: the code is void"
    clock.advance(timedelta(hours=1))
    assert refused(second, csr(), clock) == "G2: the code is too old"
    third = api.make_enrolment_code(line_id=line, actor=ADMIN, clock=clock).code
    api.withdraw_code(EnrolmentCode.objects.latest("id").pk, actor=ADMIN, clock=clock)
    assert refused(third, csr(), clock) == "G2: the code is void"
    assert Line.objects.get(pk=line).certificate_sha256 is None
    found = RefusedAttempt.objects.get()
    assert (found.address, found.reason, found.times, bytes(found.certificate_der)) == ("10.1.2.3", "enrolment_code", 4, b"")


def test_a_bad_request_leaves_the_code_as_good_as_before(tree: Tree, clock) -> None:
    code = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock).code
    for request, names in ((b"nonsense", []), (csr(), ["no name"]), (csr(), ["a.example"] * 1 + [f"h{i}" for i in range(16)])):
        with pytest.raises(InvalidInput):
            api.enrol_by_code(code, request, hosts=names, address=ADDRESS, clock=clock)
    assert api.enrol_by_code(code, csr(), address=ADDRESS, clock=clock).line_id


def test_a_front_end_does_not_get_a_name_of_the_platform(tree: Tree, clock) -> None:
    api.ensure_gateway_files(hosts=["pay.city.example", "10.0.0.1"], clock=clock)
    api.set_admission_settings("Enrol.city.example:8445", hours(), actor=ADMIN)
    code = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock).code
    for name in ("pay.city.example", "PAY.city.example", "10.0.0.1", "enrol.city.example"):
        with pytest.raises(InvalidInput, match="a name of the platform itself"):
            api.enrol_by_code(code, csr(), hosts=[name], address=ADDRESS, clock=clock)


@pytest.mark.parametrize(
    "name",
    ["2001:db8::a", "2001:DB8:0:0::A", "2001:0db8:0000:0000:0000:0000:0000:000a", "::ffff:10.0.0.1", "2001:db8::00b"],
)
def test_an_address_of_the_platform_is_known_in_every_spelling(tree: Tree, clock, name: str) -> None:
    api.ensure_gateway_files(hosts=["2001:db8::a", "10.0.0.1"], clock=clock)
    api.set_admission_settings("[2001:DB8:0::B]:8445", hours(), actor=ADMIN)
    code = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock).code
    with pytest.raises(InvalidInput, match="a name of the platform itself"):
        api.enrol_by_code(code, csr(), hosts=[name], address=ADDRESS, clock=clock)


def test_loopback_is_nobodys_own_name_in_every_spelling(tree: Tree, clock) -> None:
    code = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN, clock=clock).code
    hosts = ["::1", "0:0:0:0::1", "::ffff:127.0.0.1", "2001:DB8::1", "2001:db8:0::1"]
    got = api.enrol_by_code(code, csr(), hosts=hosts, address=ADDRESS, clock=clock)
    names = hosts_of(x509.load_pem_x509_certificate(got.certificate_pem))
    assert names - {"localhost", "127.0.0.1"} == {"2001:db8::1"}


def test_of_many_devices_with_one_code_one_is_enrolled(tree: Tree, at_once) -> None:
    code = api.make_enrolment_code(line_id=front_end(tree), actor=ADMIN).code
    requests = [csr() for _ in range(6)]
    results = at_once(lambda number: api.enrol_by_code(code, requests[number], address=ADDRESS), 6)
    assert sum(isinstance(result, RuleViolated) for result in results) == 5


def test_only_who_may_admits_and_only_for_his_own_operators(tree: Tree, clock) -> None:
    line = front_end(tree)
    other = Actor("other", frozenset({"devices.admit"}), frozenset({tree.independent}))
    for actor in (Actor("nobody"), other):
        with pytest.raises(Forbidden):
            api.make_enrolment_code(line_id=line, actor=actor, clock=clock)
    own = Actor("own", frozenset({"devices.admit"}), frozenset({tree.unified}))
    assert api.make_enrolment_code(line_id=line, actor=own, clock=clock).code
    for days in (0, 31):
        with pytest.raises(InvalidInput):
            api.make_enrolment_code(line_id=line, actor=own, valid=timedelta(days=days), clock=clock)


@given(st.text(max_size=40))
def test_what_counts_as_a_host_can_stand_in_a_certificate(text: str) -> None:
    if is_host(text):
        assert text.isascii() and " " not in text and len(text) <= 253
