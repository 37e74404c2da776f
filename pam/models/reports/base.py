"""What all reports share: a row's key, the time of its data, a query, and a refresh that nobody has to queue behind."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.utils.functional import SimpleLazyObject
from psqlextra.models import PostgresMaterializedViewModel
from psqlextra.models.options import PostgresViewOptions
from psqlextra.models.view import PostgresViewModelMeta

from pam.postgres import materialized_view
from pam.postgres.errors import run_again

# What a report is made of: rows with the names of its columns.
Rows = models.QuerySet[Any, Any]


class ReportMeta(PostgresViewModelMeta):
    """Lets `ViewMeta.query` follow relations.

    The library makes the queryset while the class is made, and Django follows no relation before all models are loaded.
    """

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any], **kwargs: Any) -> Any:
        view_meta = attrs.pop("ViewMeta", None)
        report: Any = super().__new__(cls, name, bases, attrs, **kwargs)  # type: ignore[no-untyped-call]
        if view_meta is not None:
            report._view_meta = SimpleLazyObject(
                lambda: PostgresViewOptions(query=view_meta.query().query.sql_with_params())
            )
        return report


class Report(PostgresMaterializedViewModel, metaclass=ReportMeta):
    """A materialized view of phase 3. It says what was true at `refreshed_at`, and changes when it is refreshed."""

    # See pam.postgres.report_expressions.RowKey.
    key = models.TextField(primary_key=True)
    refreshed_at = models.DateTimeField()

    class Meta:
        abstract = True

    @classmethod
    def refresh(cls, concurrently: bool = False, using: str | None = None) -> None:
        """Read the tables again; the library's `pgrefreshmv` comes here.

        Readers wait for it unless `concurrently`. Locks and errors: `pam.postgres.materialized_view.refresh`.
        """
        alias = using or DEFAULT_DB_ALIAS
        with run_again(cls.refresh_command(alias, concurrently=concurrently)):
            materialized_view.refresh(connections[alias], cls._meta.db_table, concurrently=concurrently)

    @classmethod
    def refresh_command(cls, alias: str, *, concurrently: bool) -> str:
        """What one types to refresh it in that database."""
        how = " --concurrently" if concurrently else ""
        return f"python manage.py pgrefreshmv pam {cls.__name__}{how} --database {alias}"
