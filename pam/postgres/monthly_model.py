"""The base of models whose table is partitioned by month."""

from typing import Any

from psqlextra.backend.migrations.state import PostgresPartitionedModelState
from psqlextra.models import PostgresPartitionedModel
from psqlextra.models.partitioned import PostgresPartitionedModelMeta


class MonthlyModelMeta(PostgresPartitionedModelMeta):
    """Leaves the model its single key.

    From Django 5.2 on the library would make it a CompositePrimaryKey, which the admin refuses. In the database the
    key is (id, time); the id alone is unique because it is a UUID.
    """

    @classmethod
    def _create_primary_key(cls, attrs: dict[str, Any], partitioning_key: list[str] | None) -> None:
        """Do nothing."""


class MonthlyModel(PostgresPartitionedModel, metaclass=MonthlyModelMeta):
    """A PostgresPartitionedModel with the key and the managers that it declares itself."""

    class Meta:
        abstract = True


class MonthlyModelState(PostgresPartitionedModelState):
    """The library's state of a partitioned model, rendered as a MonthlyModel."""

    @classmethod
    def _get_base_model_class(cls) -> type[PostgresPartitionedModel]:
        return MonthlyModel
