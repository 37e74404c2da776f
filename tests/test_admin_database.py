"""The page of the admin that says what `pam_status` says."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client

ADDRESS = "/admin/database/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client: Client) -> Client:
    """Somebody of the staff who may see it, and nothing else."""
    user = User.objects.create_user("dba", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_sizesnapshot"))
    client.force_login(user)
    return client


def text(client: Client) -> str:
    response = client.get(ADDRESS)
    assert response.status_code == 200
    return response.content.decode()


def test_phases_and_months(reader):
    page = text(reader)
    assert page.count("<td>applied</td>") == 3
    assert "<svg" in page
    assert "public.sessions: 5 months" in page


def test_findings_with_their_cures(reader):
    with connection.cursor() as cursor:
        cursor.execute('CREATE INDEX "<b>odd" ON credentials (version)')
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"<b>odd\"'::regclass")
    page = text(reader)
    assert "index-invalid" in page
    assert "REINDEX INDEX CONCURRENTLY" in page
    assert "<b>odd" not in page


def test_a_stranger_is_sent_to_the_login(client):
    response = client.get(ADDRESS)
    assert (response.status_code, response.headers["Location"]) == (302, f"/admin/login/?next={ADDRESS}")


def test_staff_without_the_permission(client):
    client.force_login(User.objects.create_user("operator", is_staff=True))
    assert client.get(ADDRESS).status_code == 403
    assert ADDRESS not in client.get("/admin/").content.decode()


def test_it_changes_nothing(reader):
    assert reader.post(ADDRESS).status_code == 405


def test_the_first_page_leads_there(reader):
    assert f'<a href="{ADDRESS}">' in reader.get("/admin/").content.decode()
