"""The audit log as a file, in the hands of an auditor."""

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pam.models import AuditLog
from tests.support.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("button", ["CSV", "JSON Lines"])
def test_what_the_list_selects_is_saved_and_that_is_written_down(
    auditor: "Page", site: Site, tmp_path: Path, button: str
) -> None:
    wanted = AuditLog.objects.using(site.alias).filter(event_type="compliance", result="failure")
    auditor.goto("/admin/pam/auditlog/?event_type__exact=compliance&result__exact=failure")
    with auditor.expect_download() as download:
        auditor.get_by_role("button", name=button).click()
    download.value.save_as(tmp_path / "events")

    with (tmp_path / "events").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file)) if button == "CSV" else [json.loads(line) for line in file]
    assert {row["id"] for row in rows} == {str(key) for key in wanted.values_list("pk", flat=True)}
    assert rows
    assert not {"checksum", "signature"} & rows[0].keys()
    event = (
        AuditLog.objects.using(site.alias).filter(actor_upn="auditor", action__contains="export").latest("timestamp")
    )
    assert "compliance" in json.dumps([event.details, event.description, event.new_values])


def test_who_may_not_is_offered_no_export(operator: "Page") -> None:
    assert operator.request.get("/admin/pam/auditlog/").status == 403
    operator.goto("/admin/")
    assert not operator.get_by_role("link", name="Audit logs").count()
