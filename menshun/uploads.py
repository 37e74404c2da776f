"""Files that somebody sends: no page takes any, and Django would have them on its disk before it asks who it is."""

from typing import Any, NoReturn

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler


class RefuseFiles(FileUploadHandler):
    """The handler of all uploads: a form with a file is a bad request, as soon as the file begins."""

    def new_file(self, *args: Any, **options: Any) -> NoReturn:
        raise BadRequest("No page takes a file.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Never asked."""

    def file_complete(self, file_size: int) -> None:
        """Never asked."""
