"""Search as people type it: some words, each of which must be found somewhere."""

from django.db.models import Q

from pam.errors import TooManyWordsError

# Each word costs the database another comparison with every text that is left; thousands of them, minutes.
MOST_WORDS = 20


def words_in(text: str, *columns: str) -> Q:
    """Each word of the text occurs in one of the columns, upper or lower case. No word asks for nothing: all rows.

    `ilike` and not `icontains`, so that a trigram index can serve it. PostgreSQL's text holds no NUL character, and a
    query with one is an error; as a separator it does no harm.

    More than MOST_WORDS words raise TooManyWordsError: to leave some of them out would find what nobody asked for.
    """
    words = text.replace("\0", " ").split()
    if len(words) > MOST_WORDS:
        raise TooManyWordsError(words=len(words), most=MOST_WORDS)
    wanted = Q()
    for word in words:
        found = Q()
        for column in columns:
            found |= Q(**{f"{column}__ilike": word})
        wanted &= found
    return wanted
