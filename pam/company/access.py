"""Which role is in whose hands, since when and until when."""

from datetime import datetime, timedelta
from random import Random

from pam.company.events import Actor, Calendar, Target, event
from pam.company.lines import Sheet, key, line
from pam.company.people import Identity, User

ASSIGNMENTS = Sheet(
    "role_assignments",
    (
        *("id", "created_at", "updated_at", "directory_role_id", "user_id", "service_identity_id", "assigned_at"),
        *("assigned_by", "expires_at", "is_active", "revoked_at", "revoked_by", "justification", "ticket_number"),
        *("sync_status", "requires_certification", "next_certification_date", "is_emergency"),
        *("emergency_justification", "auto_revoke_hours", "assignment_source"),
    ),
)
DONE = ("success", "info", 200)

# By holder: since when, until when, and which role, by id and name.
Held = dict[str, list[tuple[datetime, datetime, tuple[str, str]]]]


def assignments(
    chance: Random,
    holders: list[User | Identity],
    roles: list[tuple[str, str]],
    span: tuple[datetime, datetime],
    calendar: Calendar,
) -> tuple[list[str], Held]:
    """Up to five roles for each holder, a few roles for most: their rows, who held what when, and their events into the
    calendar."""
    # Who gives roles is one who stays.
    people = [holder for holder in holders if isinstance(holder, User) and holder.left is None]
    weights = [1 / (rank + 1) for rank in range(len(roles))]
    rows = []
    all_held: Held = {}
    for holder in holders:
        held = dict.fromkeys(chance.choices(roles, weights, k=min(5, 1 + int(chance.expovariate(0.6)))))
        for role in held:
            boss = chance.choice(people)
            row, since, end = _assignment(chance, holder, role, boss, span, calendar)
            rows.append(row)
            all_held.setdefault(holder.id, []).append((since, end, role))
    return rows, all_held


def _assignment(
    chance: Random,
    holder: User | Identity,
    role: tuple[str, str],
    boss: User,
    span: tuple[datetime, datetime],
    calendar: Calendar,
) -> tuple[str, datetime, datetime]:
    """The row, and since when and until when the role was held."""
    begin, until = span
    is_user = isinstance(holder, User)
    left = holder.left if isinstance(holder, User) else None
    at = begin + (min(left or until, until) - begin) * chance.random()
    emergency = is_user and chance.random() < 0.03
    hours = chance.choice([2, 4, 8]) if emergency else None
    expires = at + timedelta(hours=hours) if hours else None
    if not emergency and chance.random() < 0.55:
        expires = at + timedelta(days=chance.choice([30, 90, 180, 365]))
    # Some end too late: what the worker that takes roles back has not seen yet.
    late = expires is not None and until - timedelta(hours=6) < expires
    ended = expires is not None and expires <= until and not late
    revoked = None if ended or chance.random() > 0.08 else at + (until - at) * chance.random()
    if left and (expires is None or expires > left) and (revoked is None or revoked > left):
        # Who leaves takes no role along.
        ended, revoked = False, left
    certify = chance.random() < 0.3
    id_ = key(chance, at)
    target = Target("role_assignment", id_, role[1], holder.id if is_user else None)
    calendar[at.date()].append(
        event(chance, at, ("authorization", "role_assignment", "assign_role"), Actor.of(boss), target, outcome=DONE)
    )
    if revoked:
        calendar[revoked.date()].append(
            event(
                chance,
                revoked,
                ("authorization", "role_assignment", "revoke_role"),
                Actor.of(boss),
                target,
                outcome=DONE,
            )
        )
    row = line(
        (
            *(id_, at, revoked or at, role[0], holder.id if is_user else None, None if is_user else holder.id, at),
            *(boss.upn, expires, not ended and revoked is None, revoked, boss.upn if revoked else None),
            *(
                f"{role[1]} for the work of {boss.department}",
                f"CHG{chance.randint(10_000, 99_999)}",
                "synced",
                certify,
            ),
            at + timedelta(days=chance.choice([90, 180, 365])) if certify else None,
            *(emergency, "Nobody else could sign in" if emergency else None, hours),
            "emergency" if emergency else "manual",
        )
    )
    return row, at, revoked or expires or until
