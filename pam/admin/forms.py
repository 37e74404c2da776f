"""The form of a row with the common columns."""

from itertools import chain
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminSplitDateTime
from django.forms.fields import InvalidJSONInput

STALE = "It was changed by somebody else since you opened it. Nothing was saved: open it again and repeat your change."
# How deep a document may be nested: Python reads and writes some hundred levels, and then fails wherever it is shown.
MOST_LEVELS = 50


class CommonForm(forms.ModelForm):  # type: ignore[type-arg]
    """Carries the version that the form was opened with, and asks every rule of the table before it saves."""

    def clean(self) -> dict[str, Any]:
        """Refuse a stale form; give fields that were not touched, or were emptied, what the row can hold."""
        super().clean()
        if not self.instance._state.adding:
            self._refuse_stale_version()
            self._keep_what_was_not_touched()
        self._fill_what_cannot_be_null()
        return self.cleaned_data

    def _refuse_stale_version(self) -> None:
        if self.cleaned_data.get("version", self.instance.version) != self.instance.version:
            self.add_error(None, STALE)

    def _keep_what_was_not_touched(self) -> None:
        """A form shows times without their microseconds; only what somebody changed may differ from what is stored."""
        for name in self.cleaned_data.keys() - set(self.changed_data):
            if not self.instance._meta.get_field(name).is_relation:
                self.cleaned_data[name] = self.initial[name]

    def _fill_what_cannot_be_null(self) -> None:
        """A JSON field that was emptied gets its default: NULL is not allowed there."""
        for name, value in self.cleaned_data.items():
            field = self.instance._meta.get_field(name)
            if value is None and not field.null:
                self.cleaned_data[name] = field.get_default()

    def validate_unique(self) -> None:
        """Django has asked the rules whose columns are all on the form; ask the others too, such as an end that must
        be after created_at."""
        super().validate_unique()
        if self.errors:
            return
        try:
            self.instance.validate_constraints()
        except forms.ValidationError as error:
            self.add_error(None, error)


class UtcDateTime(AdminSplitDateTime):
    """Django's two fields for a time, which name themselves to a screen reader, and the zone to everybody."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        for part, name in zip(self.widgets, ("Date (UTC)", "Time (UTC)"), strict=True):
            part.attrs["aria-label"] = name

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return {**super().get_context(name, value, attrs), "time_label": "Time (UTC):"}


class Document(forms.JSONField):
    """Django's field for JSON, which refuses what is valid there, but could not be shown again."""

    def to_python(self, value: Any) -> Any:
        try:
            document = super().to_python(value)
            is_readable = _levels(document) <= MOST_LEVELS
        except (ValueError, RecursionError):  # a number of too many digits, or nested too deep to be read at all
            is_readable = False
        if not is_readable:
            raise forms.ValidationError(f"At most {MOST_LEVELS} levels, and no number of thousands of digits, please.")
        return document

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was refused is shown as it was typed."""
        try:
            self.to_python(data)
        except forms.ValidationError:
            return InvalidJSONInput(data)
        return super().bound_data(data, initial)


def _levels(document: Any) -> int:
    """How many objects and lists are within one another. Walks without recursion."""
    levels, values = 0, [document]
    while inner := [value for value in values if isinstance(value, dict | list)]:
        levels += 1
        values = list(chain.from_iterable(value.values() if isinstance(value, dict) else value for value in inner))
    return levels
