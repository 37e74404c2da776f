"""What happens on a day: people sign in and work, and what runs by itself reads its secrets."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random

from pam.company.access import Held
from pam.company.events import Actor, Calendar, Target, event
from pam.company.lines import Sheet, key, line
from pam.company.people import Identity, User

SESSIONS = Sheet(
    "sessions",
    (
        *("id", "created_at", "updated_at", "session_token_hash", "user_id", "last_activity", "expires_at"),
        *("is_active", "terminated_at", "termination_reason", "authentication_method", "mfa_verified", "mfa_methods"),
        *("risk_score", "source_ip", "user_agent", "geographic_location", "country_code", "device_fingerprint"),
        *("browser_name", "operating_system", "device_type", "is_suspicious", "request_count"),
        *("privileged_operations_count",),
    ),
)
# From Monday on; and by the hour, in UTC.
WEEK = (1.0, 1.1, 1.1, 1.05, 0.9, 0.15, 0.12)
HOURS = (1, 1, 1, 1, 2, 4, 9, 22, 40, 46, 44, 38, 30, 36, 42, 40, 34, 22, 12, 7, 5, 3, 2, 1)
# Of all events: those of sessions, which have about so many each.
OF_SESSIONS, PER_SESSION = 0.7, 5.6
OPERATIONS = (
    (("authorization", "role_activation", "activate_role"), 26),
    (("privileged_operation", "directory", "update_user"), 22),
    (("privileged_operation", "directory", "reset_password"), 14),
    (("privileged_operation", "directory", "update_policy"), 8),
    (("credential_access", "vault", "read_secret"), 20),
    (("configuration", "settings", "change_setting"), 7),
    (("compliance", "review", "certify_access"), 3),
)
ACTIVATE, READ = ("authorization", "role_activation", "activate_role"), ("credential_access", "vault", "read_secret")
KINDS, WEIGHTS = [kind for kind, _ in OPERATIONS], [weight for _, weight in OPERATIONS]
AGENTS = (
    ("Edge", "Windows", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/142.0"),
    ("Firefox", "Linux", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0"),
    ("Safari", "macOS", "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) Safari/605.1.15"),
)
SIGNED_IN = ("success", "info", 200)


@dataclass
class Company:
    """All that the days need to know; some people and identities do most of what is done."""

    chance: Random
    users: list[User]
    identities: list[Identity]
    roles: list[tuple[str, str]]
    held: Held
    events: int

    def __post_init__(self) -> None:
        # What no longer runs reads no secret.
        self.running = [identity for identity in self.identities if identity.is_active]
        self.user_weights = list(accumulate(1 / (rank + 3) for rank in range(len(self.users))))
        self.identity_weights = list(accumulate(1 / (rank + 2) for rank in range(len(self.running))))


def days(
    company: Company, begin: datetime, until: datetime, calendar: Calendar
) -> Iterator[tuple[list[str], list[str]]]:
    """The lines of each day's sessions and events in `[begin, until)`, and what the calendar has for it."""
    all_days = [begin + timedelta(days=number) for number in range(-((begin - until) // timedelta(days=1)))]
    total = sum(WEEK[day.weekday()] for day in all_days)
    for day in all_days:
        share = WEEK[day.weekday()] / total * company.events
        sessions: list[str] = []
        events: list[str] = calendar.pop(day.date(), [])
        for _ in range(_about(company.chance, share * OF_SESSIONS / PER_SESSION)):
            _session(company, day, until, sessions, events)
        for _ in range(_about(company.chance, share * (1 - OF_SESSIONS))):
            _by_itself(company, day, until, events)
        yield sessions, events


def _about(chance: Random, number: float) -> int:
    """A whole number whose mean is `number`."""
    return int(number + chance.random())


def _moment(chance: Random, day: datetime) -> datetime:
    (hour,) = chance.choices(range(24), HOURS)
    return day + timedelta(hours=hour, microseconds=chance.randrange(3_600_000_000))


def _session(company: Company, day: datetime, until: datetime, sessions: list[str], events: list[str]) -> None:
    """One sign-in, what was done in it, and its end; the numbers in its row are those of its events."""
    chance = company.chance
    at = _moment(chance, day)
    (user,) = chance.choices(company.users, cum_weights=company.user_weights)
    if at >= min(user.left or until, until):
        return
    id_ = key(chance, at)
    browser, system, agent = AGENTS[len(user.upn) % 3]
    actor, account = Actor.of(user, agent), Target("privileged_user", user.id, user.upn, user.id)
    expires = at + timedelta(hours=8)
    events.append(
        event(chance, at, ("authentication", "sign_in", "sign_in"), actor, account, session=id_, outcome=SIGNED_IN)
    )
    time, done, privileged = at, 0, 0
    while chance.random() < 0.79:
        time += timedelta(seconds=chance.expovariate(1 / 500))
        if time >= min(expires, until):
            break
        (kind,) = chance.choices(KINDS, WEIGHTS)
        held = [role for since, end, role in company.held.get(user.id, []) if since <= time < end]
        if kind == ACTIVATE and not held:
            kind = READ
        done, privileged = done + 1, privileged + (kind[0] == "privileged_operation")
        events.append(event(chance, time, kind, actor, _target(company, kind, held), session=id_, correlation=id_))
    time = min(time, expires)
    logout = time + timedelta(minutes=chance.uniform(1, 20))
    ended, reason = (logout, "logout") if chance.random() < 0.8 and logout < expires else (expires, "timeout")
    # A few stay open past their end: what the clean-up has not seen yet.
    forgotten = reason == "timeout" and ended > until - timedelta(days=7) and chance.random() < 0.3
    is_active = forgotten or ended >= until
    if reason == "logout" and not is_active:
        events.append(
            event(
                chance,
                ended,
                ("authentication", "sign_out", "sign_out"),
                actor,
                account,
                session=id_,
                outcome=SIGNED_IN,
            )
        )
    suspicious = chance.random() < 0.001
    sessions.append(
        line(
            (
                *(id_, at, at if is_active else ended, f"{chance.getrandbits(256):064x}", user.id, min(time, until)),
                *(expires, is_active, None if is_active else ended, None if is_active else reason, "mfa", True),
                *(["authenticator"], 90 if suspicious else chance.randint(0, 40), user.address, agent),
                *(user.place[1], user.place[0], f"device-{user.id[-12:]}", browser, system, "desktop", suspicious),
                *(done + 1, privileged),
            )
        )
    )


def _target(company: Company, kind: tuple[str, str, str], held: list[tuple[str, str]]) -> Target:
    """What it is done to; `held` are the roles that can be activated."""
    chance = company.chance
    if kind[2] in ("activate_role", "certify_access"):
        role = chance.choice(held if kind == ACTIVATE else company.roles)
        return Target("directory_role", role[0], role[1])
    if kind[0] == "credential_access":
        identity = chance.choice(company.identities)
        return Target("service_identity", identity.id, identity.name)
    if kind[2] in ("update_policy", "change_setting"):
        number = chance.randint(1, 40)
        return Target("policy", str(number), f"policy-{number}")
    user = chance.choice(company.users)
    return Target("privileged_user", user.id, user.upn, user.id)


def _by_itself(company: Company, day: datetime, until: datetime, events: list[str]) -> None:
    """A service identity reads a secret at any hour; seldom something is tried that nobody allowed."""
    chance = company.chance
    time = day + timedelta(microseconds=chance.randrange(86_400_000_000))
    (identity,) = chance.choices(company.running, cum_weights=company.identity_weights)
    if time >= until:
        return
    kind, outcome = ("credential_access", "vault", "read_secret"), None
    if chance.random() < 0.0005:
        kind, outcome = ("security_incident", "detection", "report_incident"), ("error", "critical", 500)
    target = Target("service_identity", identity.id, identity.name)
    events.append(event(chance, time, kind, Actor.of(identity), target, outcome=outcome))
