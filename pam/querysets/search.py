"""Search as people type it: some words, each of which must be found somewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from pam.errors import TooFewLettersError, TooManyWordsError

# Each word costs the database another comparison with every text that is left; thousands of them, minutes.
MOST_WORDS = 20
# A trigram is three of them, with blanks where a word begins or ends; of fewer none can be made, for no index.
LEAST_LETTERS = 3
# The keys of so many rows are listed, and an index asked for each; with more, a page is full before much is read.
MOST_KEYS = 1000


def words_of(text: str) -> list[str]:
    """The words of a search, none for a text that is blank.

    PostgreSQL's text holds no NUL character, and a query with one is an error; as a separator it does no harm.

    More than MOST_WORDS words raise TooManyWordsError: to leave some of them out would find what nobody asked for.
    Words of which none has LEAST_LETTERS letters or digits raise TooFewLettersError.
    """
    words = text.replace("\0", " ").split()
    if len(words) > MOST_WORDS:
        raise TooManyWordsError(words=len(words), most=MOST_WORDS)
    if words and not any(is_long(word) for word in words):
        raise TooFewLettersError(least=LEAST_LETTERS)
    return words


def is_long(word: str) -> bool:
    """Whether a trigram index can find the word. What stands between letters or digits only parts them."""
    return sum(letter.isalnum() for letter in word) >= LEAST_LETTERS


def words_in(text: str, *columns: str) -> Q:
    """Each word of the text occurs in one of the columns, upper or lower case. No word asks for nothing: all rows.

    `ilike` and not `icontains`, so that a trigram index can serve it. Errors: those of `words_of`.
    """
    wanted = Q()
    for word in words_of(text):
        wanted &= word_in(word, *columns)
    return wanted


def word_in(word: str, *columns: str) -> Q:
    """The word occurs in one of the columns."""
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__ilike": word})
    return found


def words_through(rows: QuerySet, text: str, references: Mapping[str, Sequence[str]]) -> Q:  # type: ignore[type-arg]
    """Each word of the text occurs in one of the columns of a row that one of the references of `rows` leads to.

    References by name, each with columns of the table that it leads to; deleted rows are found too. That table is
    searched first, once for each word and reference, and `rows` by the keys that were found: of a list the planner
    knows how long it is, and asks an index for each key, where of a join or a query within it can only guess. A word
    found in more than MOST_KEYS rows is looked for through a join: a page of so many is full before much is read.
    Errors: those of `words_of`.
    """
    wanted = Q()
    for word in words_of(text):
        found = _by_keys(rows, word, references) if is_long(word) else None
        if found is None:
            found = word_in(word, *(f"{name}__{column}" for name in references for column in references[name]))
        wanted &= found
    return wanted


def _by_keys(rows: QuerySet, word: str, references: Mapping[str, Sequence[str]]) -> Q | None:  # type: ignore[type-arg]
    found = Q()
    for name, columns in references.items():
        led_to: Any = rows.model._meta.get_field(name).related_model
        named = led_to.all_objects.using(rows.db).filter(word_in(word, *columns))
        keys = list(named.values_list("pk", flat=True)[: MOST_KEYS + 1])
        if len(keys) > MOST_KEYS:
            return None
        found |= Q(**{f"{name}__in": keys})
    return found
