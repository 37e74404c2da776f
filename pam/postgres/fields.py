"""Model fields for what this schema stores: time-carrying keys, UPNs, hashes, networks.

Django's fields take type arguments in their stubs but not when they run, hence the `type-arg` remarks.
"""

from datetime import datetime
from ipaddress import ip_network
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from pam.postgres.uuid7 import uuid7_at


class UUIDv7Field(models.UUIDField):  # type: ignore[type-arg]
    """A primary key made from the row's own time, so that a row of the past gets an id of the past."""

    def __init__(self, *args: Any, time_field: str, **kwargs: Any) -> None:
        self.time_field = time_field
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "time_field": self.time_field}

    def get_pk_value_on_save(self, instance: models.Model) -> UUID:
        """Django asks here for the key of a row that has none, in save() and in bulk_create()."""
        field = cast("models.DateTimeField[Any, Any]", instance._meta.get_field(self.time_field))
        time = field.to_python(getattr(instance, self.time_field))
        if not isinstance(time, datetime):
            raise TypeError(f"The id is made from {self.time_field}, which must be a time, not {time!r}.")
        return uuid7_at(time)


class UpnField(models.CharField):  # type: ignore[type-arg]
    """A user principal name: Entra does not care about case, so it is stored, and looked up, in lower case."""

    def to_python(self, value: Any) -> Any:
        """Django comes here for what a form sends, a query compares and a row stores."""
        text = super().to_python(value)
        return text.lower() if isinstance(text, str) else text

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The instance shows what was stored."""
        value = super().pre_save(model_instance, add)
        if isinstance(value, str):
            value = value.lower()
            setattr(model_instance, self.attname, value)
        return value


class HexDigestField(models.CharField):  # type: ignore[type-arg]
    """The 64 lower-case hexadecimal digits of a SHA-256 digest, as char(64)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "max_length": 64})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"]
        return name, path, args, kwargs

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "char(64)"


def validate_network(value: Any) -> None:
    """A form's check; the column's type refuses the rest."""
    try:
        ip_network(value)
    except ValueError as error:
        # An array formats the message of an item a second time: a percent sign that was typed must survive that.
        shown = {"value": str(value).replace("%", "%%"), "error": str(error).replace("%", "%%")}
        raise ValidationError("%(value)s is not a network: %(error)s.", params=shown) from error


class JsonText(str):
    """JSON that the database takes and Python cannot read, such as a number of 5,000 digits: the text that it is."""


class AnyJSONField(models.JSONField):
    """Django's field, to which a value that Python cannot read is a JsonText, which is stored again as it is.

    One such value would else take the whole row with it, and whatever is asked together with it.
    """

    def deconstruct(self) -> Any:
        """To migrations it is Django's."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        try:
            return super().from_db_value(value, expression, connection)
        except (ValueError, RecursionError):  # too many digits, or nested too deep
            return JsonText(value)

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        if isinstance(value, JsonText):
            return str(value)
        return super().get_db_prep_value(value, connection, prepared)


class CidrField(models.Field):  # type: ignore[type-arg]
    """A network or a single address, as PostgreSQL's cidr; text in Python."""

    description = "Network in CIDR notation"
    empty_strings_allowed = False
    default_validators = [validate_network]

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "cidr"

    def formfield(self, **kwargs: Any) -> Any:
        """With a check of its own: what only the model refuses in an array, Django's forms tell without the reason."""
        return super().formfield(**{"validators": [validate_network], **kwargs})

    def get_prep_value(self, value: Any) -> Any:
        """Python knows more ways to write a network than PostgreSQL; this is the one both share."""
        value = super().get_prep_value(value)
        return None if value is None else str(ip_network(value))
