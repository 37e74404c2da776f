"""Search as people type it: some words, each of which must be found somewhere."""

from django.db.models import Q


def words_in(text: str, *columns: str) -> Q:
    """Each word of the text occurs in one of the columns, upper or lower case. No word asks for nothing: all rows.

    `ilike` and not `icontains`, so that a trigram index can serve it. PostgreSQL's text holds no NUL character, and a
    query with one is an error; as a separator it does no harm.
    """
    wanted = Q()
    for word in text.replace("\0", " ").split():
        found = Q()
        for column in columns:
            found |= Q(**{f"{column}__ilike": word})
        wanted &= found
    return wanted
