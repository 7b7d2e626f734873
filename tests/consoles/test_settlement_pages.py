"""Settlement from the pages: the cut puts a task into the queue, sheets show and download what the run came to."""

import csv
import io
from collections.abc import Callable

from auditlog.models import LogEntry
from django.test import Client
from openpyxl import load_workbook
from procrastinate.contrib.django.models import ProcrastinateJob

from onecard.consoles.centre.roles import Role
from onecard.services.settlement import api
from onecard.services.settlement.models import SheetRow
from tests.settlement.city import City


def test_a_cut_from_the_page_is_settled_by_the_worker_and_downloads_what_the_database_holds(
    city: City, signed_in: Callable[..., Client]
) -> None:
    holder = city.holder("A", public=100_000, unit="works")
    for amount in (1050, 333, 2000):
        city.pay(holder, "canteen", amount)
    client = signed_in(Role.FINANCE)
    page = client.post("/centre/settlement/cut/")
    (job,) = ProcrastinateJob.objects.filter(task_name="settle_run")
    run_id = job.args["run_id"]
    assert page.headers["Location"] == f"/centre/settlement/{run_id}/"
    assert client.get(f"/centre/settlement/{run_id}/state.json").json()["note"] == "等待后台处理"
    client.post(f"/centre/settlement/{run_id}/settle/")
    assert ProcrastinateJob.objects.count() == 1, "what is in the queue is not put there twice"
    api.run_settlement(run_id)

    assert "已平账" in client.get(f"/centre/settlement/{run_id}/?sheet=merchant").content.decode()
    total = SheetRow.objects.get(run_id=run_id, level=2, party_id=city.merchants["canteen"].pk, business_date=None)
    answer = client.get(f"/centre/settlement/{run_id}/merchant.csv")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    (row,) = [row for row in csv.DictReader(io.StringIO(text)) if row["业务日期 Business date"] == "合计 Total"]
    assert row["应付净额 Net payable CNY"] == f"{total.net_fen // 100}.{total.net_fen % 100:02d}"
    assert "attachment" in answer.headers["Content-Disposition"]
    book = client.get(f"/centre/settlement/{run_id}/all.xlsx")
    sheets = load_workbook(io.BytesIO(b"".join(book.streaming_content))).sheetnames
    assert sheets == list(api.SHEET_TITLES.values())
    assert LogEntry.objects.filter(content_type__model="settlementrun", actor__username="finance").count() == 1


def test_every_sheet_shows_in_both_languages(city: City, signed_in: Callable[..., Client]) -> None:
    city.pay(city.holder("root", public=5000), "canteen", 700)
    run = api.run_settlement(api.day_cut().pk)
    client = signed_in(Role.VIEWER)
    for sheet, title in api.SHEET_TITLES.items():
        page = client.get(f"/centre/settlement/{run.pk}/", {"sheet": sheet})
        assert page.status_code == 200 and title.split()[0] in page.content.decode()
    assert client.get(f"/centre/settlement/{run.pk}/", {"sheet": "nothing"}).status_code == 404
    assert client.get(f"/centre/settlement/{run.pk}/merchant.exe").status_code == 404
    assert "重新计算" not in client.get(f"/centre/settlement/{run.pk}/").content.decode(), "a viewer starts nothing"
