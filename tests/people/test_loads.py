"""Bulk loads (C6) from a file to cardholders: modes, duplicates, the cap, departments, accounts, and who may."""

import csv
import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Barrier

import psycopg
import pytest

from onecard.kernel.errors import Forbidden, InvalidInput, NotFound
from onecard.services.actors import Actor
from onecard.services.operators import api as operators
from onecard.services.people import api as people
from onecard.services.people.loads.jobs import create_job
from onecard.services.people.models import Department, Holder
from tests.people.conftest import ACTOR
from tests.services.conftest import Tree
from tests.support.postgres import TestDatabase

HEAD = ("姓名", "证件类型", "证件号码", "学号", "院系", "性别", "手机")
GOOD = ("张三", "居民身份证", "11010519491231002X", "S001", "信息学院/计算机系", "男", "138 0013 8000")
LI = ("李四", "护照", "E12345678", "S002", "信息学院", "女", "")


def load(path: Path, options: people.LoadOptions, actor: Actor = ACTOR) -> people.Job:
    job = create_job(options, actor=actor, file_name=path.name)
    return people.run_load(job.id, path)


def options(tree: Tree, **more: object) -> people.LoadOptions:
    return people.LoadOptions(operator_id=tree.unified, unit_id=tree.unit, make_departments=True, **more)  # type: ignore[arg-type]


def problems(job: people.Job) -> list[tuple[int, str, str]]:
    return [(p.row_no, p.column, p.code) for p in people.problems_of(job.id, actor=ACTOR)]


def waiting(database: TestDatabase) -> int:
    with psycopg.connect(database.owner_dsn) as connection:
        return connection.execute("SELECT count(*) FROM people_load_row").fetchone()[0]  # type: ignore[index]


def test_good_rows_become_holders_with_departments(tree: Tree, csv_file: Callable[..., Path], django_database) -> None:
    job = load(csv_file(HEAD, GOOD, LI), options(tree))
    assert (job.state, job.row_count, job.bad_count, job.holder_count) == ("done", 2, 0, 2)
    zhang = Holder.objects.get(name="张三")
    assert (zhang.unit_id, zhang.staff_no, zhang.gender, zhang.phone) == (tree.unit, "S001", "m", "13800138000")
    assert (zhang.document_type, zhang.document_last4, zhang.anonymous) == ("id_card", "002X", False)
    assert zhang.department.name == "计算机系" and zhang.department.parent.name == "信息学院"
    assert people.find_by_document(tree.unified, "id_card", "11010519491231002x") == zhang.pk
    assert people.find_by_staff_no(tree.unit, "S002") == Holder.objects.get(name="李四").pk
    assert waiting(django_database) == 0


def test_all_or_nothing_loads_nobody_and_tells_row_column_and_reason(tree: Tree, csv_file: Callable[..., Path]) -> None:
    wrong = ("王五", "身份证", "110105194912310021", "S003", "", "其", "abc")
    job = load(csv_file(HEAD, GOOD, wrong), options(tree))
    assert (job.state, job.row_count, job.bad_count, job.holder_count) == ("refused", 2, 1, 0)
    assert problems(job) == [(3, "证件号码", "document_check"), (3, "性别", "unknown"), (3, "手机", "phone")]
    assert not Holder.objects.exists() and not Department.objects.exists()
    out = io.StringIO()
    assert people.write_report(job.id, out, actor=ACTOR) == 3
    rows = list(csv.reader(io.StringIO(out.getvalue())))
    assert rows[1] == ["3", "证件号码", "document_no", "身份证校验位不对", "has a wrong check digit"]


def test_good_rows_mode_loads_the_good_ones_and_forgets_the_data_of_the_others(
    tree: Tree, csv_file: Callable[..., Path], django_database: TestDatabase
) -> None:
    job = load(csv_file(HEAD, GOOD, ("", *LI[1:]), LI), options(tree, mode="good"))
    assert (job.state, job.bad_count, job.holder_count) == ("done", 1, 2)
    # Of two rows with one number the good one keeps it, though it comes later.
    assert problems(job) == [(3, "姓名", "missing"), (3, "证件号码", "twice_in_file"), (3, "学号", "twice_in_file")]
    with psycopg.connect(django_database.owner_dsn) as connection:
        (text,) = connection.execute("SELECT string_agg(r::text, '') FROM people_load_row r").fetchone()  # type: ignore[misc]
    assert "5678" not in text and "S002" not in text


def test_a_dry_run_tells_all_and_writes_nothing(tree: Tree, csv_file: Callable[..., Path]) -> None:
    job = load(csv_file(HEAD, GOOD, LI, ("赵六", "护照", "?", "", "", "", "")), options(tree, dry_run=True))
    assert (job.state, job.row_count, job.bad_count, job.holder_count) == ("checked", 3, 1, 0)
    assert problems(job) == [(4, "证件号码", "document_form")]
    assert not Holder.objects.exists() and not Department.objects.exists()


def test_what_is_on_the_platform_is_not_loaded_again(tree: Tree, csv_file: Callable[..., Path]) -> None:
    assert load(csv_file(HEAD, GOOD), options(tree)).state == "done"
    again = load(csv_file(HEAD, GOOD, LI), options(tree, mode="good"))
    assert (again.holder_count, problems(again)) == (1, [(2, "证件号码", "on_platform"), (2, "学号", "on_platform")])
    people.close_holder(Holder.objects.get(name="张三").pk)
    assert load(csv_file(HEAD, GOOD), options(tree)).state == "done"


def test_the_cap_is_met_exactly_by_the_first_rows(tree: Tree, csv_file: Callable[..., Path]) -> None:
    operators.update_operator(tree.unified, holder_cap=7)
    rows = [(f"人{i}", "", "", f"N{i}", "", "", "") for i in range(10)]
    dry = load(csv_file(HEAD, *rows), options(tree, dry_run=True))
    assert [p[0] for p in problems(dry)] == [9, 10, 11]
    refused = load(csv_file(HEAD, *rows), options(tree))
    assert (refused.state, refused.bad_count, Holder.objects.count()) == ("refused", 3, 0)
    good = load(csv_file(HEAD, *rows), options(tree, mode="good"))
    assert (good.holder_count, problems(good)) == (7, [(n, "姓名", "over_cap") for n in (9, 10, 11)])
    assert set(Holder.objects.values_list("name", flat=True)) == {f"人{i}" for i in range(7)}


def test_two_loads_at_once_share_the_cap_exactly(
    tree: Tree, csv_file: Callable[..., Path], at_once: Callable[..., list[people.Job]]
) -> None:
    operators.update_operator(tree.unified, holder_cap=150)
    paths = [csv_file(HEAD, *((f"{who}{i}", "", "", f"{who}{i}", "", "", "") for i in range(100)), name=who) for who in "AB"]
    barrier = Barrier(2)

    def one(number: int) -> people.Job:
        barrier.wait(60)
        return load(paths[number], options(tree, mode="good"))

    jobs = at_once(one, 2)
    assert sorted(job.holder_count for job in jobs) == [50, 100]
    assert Holder.objects.count() == 150
    late = min(jobs, key=lambda job: job.holder_count)
    assert [p[0] for p in problems(late)] == list(range(52, 102))


def test_one_document_in_two_loads_at_once_is_loaded_once(
    tree: Tree, csv_file: Callable[..., Path], at_once: Callable[..., list[people.Job]]
) -> None:
    path = csv_file(HEAD, GOOD)
    jobs = at_once(lambda number: load(path, options(tree, mode="good")), 3)
    assert sorted(job.holder_count for job in jobs) == [0, 0, 1]
    assert Holder.objects.count() == 1


def test_every_good_row_gets_an_account_with_a_qr_card(
    tree: Tree, csv_file: Callable[..., Path], django_database: TestDatabase
) -> None:
    card_type = operators.create_card_type("STU", "学生卡", limit_balance_fen=20_000).pk
    operators.allow_card_type(tree.unified, card_type)
    rows = [("甲", "S1", "100.50", ""), ("乙", "S2", "", "3"), ("丙", "S3", "200.01", ""), ("丁", "S4", "-1", "")]
    path = csv_file(("姓名", "学号", "公共钱包余额", "私有钱包余额"), *rows)
    terms = options(tree, mode="good", card_type_id=card_type, private_fen=150, valid_until=date(2030, 6, 30))
    job = load(path, terms)
    assert (job.state, job.holder_count, job.account_count) == ("done", 2, 2)
    assert problems(job) == [(4, "公共钱包余额", "over_limit"), (5, "公共钱包余额", "amount")]
    with psycopg.connect(django_database.owner_dsn) as connection:
        purses = connection.execute(
            "SELECT h.name, p.unit_id, p.balance_fen FROM people_holder h JOIN ledger.account a ON a.holder_id = h.id"
            " JOIN ledger.purse p USING (account_no) ORDER BY h.id, p.unit_id"
        ).fetchall()
        cards = connection.execute("SELECT medium, status, valid_until, card_type_id FROM ledger.card").fetchall()
    assert purses == [("甲", 0, 10_050), ("甲", tree.unit, 150), ("乙", 0, 0), ("乙", tree.unit, 300)]
    assert cards == [(3, 1, date(2030, 6, 30), card_type)] * 2


def test_unit_and_department_are_the_operators_own(tree: Tree, csv_file: Callable[..., Path]) -> None:
    head = ("姓名", "单位编码", "部门")
    path = csv_file(head, ("甲", "SCHOOL", "教务处"), ("乙", "FACTORY", ""), ("丙", "", "教务处"), ("丁", "SCHOOL", ""))
    job = load(path, people.LoadOptions(operator_id=tree.unified, mode="good"))
    assert problems(job) == [(2, "部门", "unknown"), (3, "单位编码", "unknown"), (4, "部门", "no_unit")]
    assert Holder.objects.get().name == "丁" and Holder.objects.get().unit_id == tree.unit
    with pytest.raises(NotFound):
        load(path, people.LoadOptions(operator_id=tree.unified, unit_id=tree.own_unit))


def test_a_column_may_be_named_and_a_file_without_names_is_refused(tree: Tree, csv_file: Callable[..., Path]) -> None:
    path = csv_file(("person_ref", "card_ref"), ("P1", "A1"), delimiter=";")
    with pytest.raises(InvalidInput, match="column of names"):
        load(path, options(tree))
    job = load(path, options(tree, mapping={"name": "Person Ref", "staff_no": "card_ref"}))
    assert job.state == "done" and Holder.objects.get().staff_no == "A1"
    failed = people.recent_jobs(actor=ACTOR)[1]
    assert failed.state == "failed" and failed.failure is not None and "姓名" in failed.failure.zh


def test_loading_needs_the_permission_for_that_operator(tree: Tree, csv_file: Callable[..., Path]) -> None:
    path = csv_file(HEAD, GOOD)
    elsewhere = Actor("clerk", frozenset({"people.load"}), frozenset({tree.independent}))
    for actor in (elsewhere, Actor("nobody")):
        with pytest.raises(Forbidden):
            load(path, options(tree), actor)
        with pytest.raises(Forbidden):
            people.start_load(path, options(tree), actor=actor)
    job = load(path, options(tree))
    with pytest.raises(Forbidden):
        people.job_progress(job.id, actor=elsewhere)
    assert people.recent_jobs(actor=elsewhere) == []
