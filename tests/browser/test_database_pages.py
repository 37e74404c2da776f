"""The pages of the database, from the first page of the admin on."""

from typing import TYPE_CHECKING

import pytest

from tests.support.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

