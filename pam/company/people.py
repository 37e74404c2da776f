"""Who is there: people in departments under managers, and what runs by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from pam.company.lines import Sheet, key, line, plain_key

DOMAIN = "contoso.example"
FIRST = ("Ada", "Bo", "Chen", "Dina", "Emre", "Fatima", "Goran", "Hana", "Ivo", "Jun", "Kofi", "Lena", "Mei", "Nils")
LAST = ("Abe", "Berg", "Costa", "Diaz", "Eze", "Fischer", "Gupta", "Hansen", "Ito", "Jonas", "Khan", "Lopez", "Novak")
DEPARTMENTS = {
    "IT Operations": 30,
    "Security": 14,
    "Cloud Platform": 18,
    "Finance": 8,
    "Human Resources": 5,
    "Sales": 7,
    "Research": 12,
    "Legal": 2,
    "Support": 14,
}
PLACES = (("DE", "Berlin"), ("US", "Seattle"), ("JP", "Tokyo"), ("BR", "Recife"), ("KE", "Nairobi"))
SYSTEMS = ("billing", "payroll", "backup", "deploy", "mail-relay", "reporting", "crm-sync", "monitoring", "archive")

USERS = Sheet(
    "privileged_users",
    (
        *("id", "created_at", "updated_at", "upn", "display_name", "email", "source_user_id", "source_user_upn"),
        *("azure_object_id", "department", "job_title", "company_name", "office_location", "manager_upn", "is_active"),
        *("account_enabled", "usage_location", "risk_level", "risk_score", "compliance_status"),
        "last_compliance_check",
    ),
)
IDENTITIES = Sheet(
    "service_identities",
    (
        *("id", "created_at", "updated_at", "name", "identity_type", "description", "client_id", "oidc_issuer_url"),
        *("azure_object_id", "department", "owner_upn", "environment", "criticality", "is_active", "account_enabled"),
        *("status", "expires_at", "last_used", "application_name", "risk_level", "risk_score", "next_rotation_date"),
        *("credential_rotation_frequency_days", "usage_count"),
    ),
)


@dataclass(frozen=True)
class User:
    """What other rows need to know of a person; `left` is when the account was closed, if it was."""

    id: str
    upn: str
    name: str
    department: str
    place: tuple[str, str]
    address: str
    left: datetime | None


@dataclass(frozen=True)
class Identity:
    """What other rows need to know of a service identity."""

    id: str
    name: str
    owner: str
    address: str
    frequency: int
    is_active: bool


def users(chance: Random, count: int, first: int, begin: datetime, until: datetime) -> tuple[list[User], list[str]]:
    """`count` people, numbered from `first`, with accounts older than `begin`; and their rows."""
    people, rows = [], []
    managers: dict[str, str] = {}
    for number in range(first, first + count):
        (department,) = chance.choices(list(DEPARTMENTS), list(DEPARTMENTS.values()))
        given, family = chance.choice(FIRST), chance.choice(LAST)
        source = f"{given}.{family}{number}@{DOMAIN}".lower()
        upn = f"adm-{source}"
        created = begin - timedelta(days=chance.uniform(1, 900))
        left = begin + (until - begin) * chance.random() if chance.random() < 0.06 else None
        country, city = chance.choice(PLACES)
        address = f"10.{number // 250 % 250}.{number % 250}.{chance.randint(2, 250)}"
        (risk,) = chance.choices(["low", "medium", "high", "critical"], [50, 38, 10, 2])
        score = min(100, {"low": 5, "medium": 35, "high": 65, "critical": 85}[risk] + chance.randint(0, 20))
        # Closed accounts are seldom still compliant, and open ones mostly are.
        (compliance,) = chance.choices(["compliant", "non_compliant"], [1, 9] if left else [96, 4])
        people.append(User(key(chance, created), upn, f"{given} {family}", department, (country, city), address, left))
        rows.append(
            line(
                (
                    *(people[-1].id, created, created, upn, f"{given} {family} (admin)", upn, f"hr-{number}", source),
                    *(
                        plain_key(chance),
                        department,
                        f"{department} engineer",
                        "Contoso",
                        city,
                        managers.get(department),
                    ),
                    *(
                        left is None,
                        left is None,
                        country,
                        risk,
                        score,
                        compliance,
                        until - timedelta(days=number % 90),
                    ),
                )
            )
        )
        managers.setdefault(department, upn)
    return people, rows


def identities(
    chance: Random, count: int, first: int, owners: list[User], begin: datetime, until: datetime
) -> tuple[list[Identity], list[str]]:
    """`count` service identities of every type, each with a person who answers for it; and their rows."""
    kinds = {
        "service_principal": 45,
        "service_account": 20,
        "managed_identity_system": 15,
        "managed_identity_user": 10,
        "workload_identity": 10,
    }
    made, rows = [], []
    for number in range(first, first + count):
        (kind,) = chance.choices(list(kinds), list(kinds.values()))
        (environment,) = chance.choices(["production", "staging", "development", "test"], [55, 15, 20, 10])
        system, owner = chance.choice(SYSTEMS), chance.choice(owners)
        created = begin - timedelta(days=chance.uniform(1, 900))
        (status,) = chance.choices(["active", "inactive", "suspended", "pending_deletion"], [88, 7, 3, 2])
        # Who is not active runs nothing: two columns that say nearly the same.
        active = status == "active"
        identity = Identity(
            key(chance, created),
            f"svc-{system}-{environment[:4]}-{number}",
            owner.upn,
            f"10.{200 + number // 62500}.{number // 250 % 250}.{number % 250}",
            chance.choice([30, 60, 90, 180]),
            active,
        )
        expires = until + timedelta(days=chance.uniform(-20, 500)) if chance.random() < 0.6 else None
        made.append(identity)
        rows.append(
            line(
                (
                    *(identity.id, created, created, identity.name, kind),
                    f"Runs {system} of {owner.department} in {environment}",
                    plain_key(chance) if kind == "service_principal" else None,
                    f"https://oidc.{DOMAIN}/{system}" if kind == "workload_identity" else None,
                    *(plain_key(chance), owner.department, owner.upn, environment),
                    chance.choice(["low", "medium", "high", "critical"]),
                    *(active, active, status, expires, until - timedelta(hours=chance.expovariate(1 / 30)), system),
                    *(chance.choice(["low", "medium", "high"]), chance.randint(0, 100)),
                    until + timedelta(days=chance.uniform(-3, identity.frequency)),
                    *(identity.frequency, chance.randint(0, 50_000)),
                )
            )
        )
    return made, rows
