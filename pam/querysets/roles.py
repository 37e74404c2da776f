"""What is asked of directory roles."""

from typing import Self

from pam.querysets.base import Row, SoftDeleteQuerySet
from pam.querysets.search import words_in


class DirectoryRoleQuerySet(SoftDeleteQuerySet[Row]):
    """Directory roles by what people ask about them."""

    def enabled(self) -> Self:
        """The requester: which roles can be asked for at all."""
        return self.alive().filter(is_enabled=True)

    def search(self, text: str) -> Self:
        """The requester who knows what the role should allow, but not its name."""
        return self.filter(words_in(text, "role_name", "description"))
