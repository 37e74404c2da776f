"""Files are taken by no page, from nobody, and nothing of them is kept."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from tests.support.admin import sign_in


def test_a_strangers_file_does_not_get_as_far_as_the_disk(tmp_path: Path) -> None:
    sent = {"username": "x", "file": SimpleUploadedFile("f", b"z" * 5_000_000)}
    browser = Client(enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = "a" * 32
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(tmp_path)):
        page = browser.post("/admin/login/", sent)
    assert page.status_code == 400
    assert "That was not understood" in page.content.decode()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_a_form_without_a_file_may_be_sent_in_parts_too() -> None:
    page = sign_in().post("/admin/pam/privilegeduser/add/", {"upn": "ann@example.com"})  # in parts, as the client sends
    assert page.status_code == 200
    assert "This field is required" in page.content.decode()
