"""What somebody may do to a database behind the migrations' back, each with the finding that must name it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """Statements that injure a migrated database; then an examination finds `id` on `subject`, and nothing on others.

    `along` are the findings that the same injury is bound to cause too. {audit} is a month of `audit_logs` with others
    before and after it, {suffix} what its name ends in; {last}, {last_but_one} and {last_but_two} are months of
    `sessions`, the last one from {start} to {end}, and {after} is where the next one would end.
    """

    about: str
    statements: str
    id: str
    subject: str
    along: tuple[str, ...] = ()


INVALID = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{}'::regclass"
EVENT = (
    "INSERT INTO audit_logs (id, event_type, action, result, timestamp, description)"
    " VALUES (gen_random_uuid(), 'compliance', 'x', 'success', '{}', 'y')"
)

FAULTS = [
    Fault(
        "an index dropped",
        "DROP INDEX ix_credentials_expiry_partial",
        "index-missing",
        "public.credentials.ix_credentials_expiry_partial",
    ),
    Fault(
        "an index of months dropped",
        "DROP INDEX ix_audit_logs_search_gin",
        "index-missing",
        "public.audit_logs.ix_audit_logs_search_gin",
    ),
    Fault(
        "an index made INVALID",
        INVALID.format("ix_privileged_users_email"),
        "index-invalid",
        "public.privileged_users.ix_privileged_users_email",
    ),
    Fault(
        "somebody else's index left INVALID",
        f"CREATE INDEX by_hand ON credentials (version); {INVALID.format('by_hand')}",
        "index-invalid",
        "public.credentials.by_hand",
    ),
    Fault(
        "an index replaced under its name, by another column",
        "DROP INDEX ix_privileged_users_email; CREATE INDEX ix_privileged_users_email ON privileged_users (upn)",
        "index-different",
        "public.privileged_users.ix_privileged_users_email",
    ),
    Fault(
        "an index replaced under its name, by another condition",
        "DROP INDEX ix_credentials_expiry_partial;"
        " CREATE INDEX ix_credentials_expiry_partial ON credentials (expires_at) WHERE is_deleted",
        "index-different",
        "public.credentials.ix_credentials_expiry_partial",
    ),
    Fault(
        "an index that months do not have",
        "DROP INDEX ix_audit_logs_retention; CREATE INDEX ix_audit_logs_retention ON ONLY audit_logs (retention_date)",
        "index-invalid",
        "public.audit_logs.ix_audit_logs_retention",
    ),
    Fault(
        "a unique index dropped",
        "DROP INDEX uq_role_assignments_active_user",
        "index-missing",
        "public.role_assignments.uq_role_assignments_active_user",
    ),
    Fault(
        "a check constraint dropped",
        "ALTER TABLE credentials DROP CONSTRAINT ck_credentials_version",
        "constraint-missing",
        "public.credentials.ck_credentials_version",
    ),
    Fault(
        "a check constraint made weaker",
        "ALTER TABLE credentials DROP CONSTRAINT ck_credentials_version;"
        " ALTER TABLE credentials ADD CONSTRAINT ck_credentials_version CHECK (version > -1)",
        "constraint-different",
        "public.credentials.ck_credentials_version",
    ),
    Fault(
        "a check constraint NOT VALID",
        "ALTER TABLE credentials DROP CONSTRAINT ck_credentials_version;"
        " ALTER TABLE credentials ADD CONSTRAINT ck_credentials_version CHECK (version > 0) NOT VALID",
        "constraint-not-valid",
        "public.credentials.ck_credentials_version",
    ),
    Fault(
        "a column of another type",
        "ALTER TABLE credentials ALTER created_by TYPE varchar(300)",
        "column-different",
        "public.credentials.created_by",
    ),
    Fault(
        "a column that takes NULL",
        "ALTER TABLE credentials ALTER metadata DROP NOT NULL",
        "column-different",
        "public.credentials.metadata",
    ),
    Fault(
        "a column dropped",
        "ALTER TABLE credentials DROP COLUMN updated_by",
        "column-missing",
        "public.credentials.updated_by",
    ),
    Fault(
        "the append-only trigger disabled",
        "ALTER TABLE audit_logs DISABLE TRIGGER pam_refuse_truncate",
        "trigger-disabled",
        "public.audit_logs.pam_refuse_truncate",
    ),
    Fault(
        "the append-only trigger disabled on one month",
        "ALTER TABLE {audit} DISABLE TRIGGER pam_refuse_change",
        "trigger-disabled",
        "public.{audit}.pam_refuse_change",
    ),
    Fault(
        "the append-only trigger dropped",
        "DROP TRIGGER pam_refuse_change ON audit_logs",
        "trigger-missing",
        "public.audit_logs.pam_refuse_change",
    ),
    Fault(
        "the append-only trigger dropped on one month",
        "DROP TRIGGER pam_refuse_truncate ON {audit}",
        "trigger-missing",
        "public.{audit}.pam_refuse_truncate",
    ),
    Fault(
        "the append-only function emptied",
        "CREATE OR REPLACE FUNCTION pam_refuse_change_v1() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RETURN NULL; END'",
        "trigger-different",
        "public.audit_logs.pam_refuse_change",
        along=("trigger-different",),
    ),
    Fault(
        "extended statistics dropped",
        "DROP STATISTICS st_audit_logs_outcome",
        "statistics-missing",
        "public.audit_logs.st_audit_logs_outcome",
    ),
    Fault(
        "a month in the middle detached",
        "ALTER TABLE audit_logs DETACH PARTITION {audit}",
        "month-missing",
        "public.audit_logs.{suffix}",
    ),
    Fault(
        "a month with its bounds at a local midnight, over two months",
        "ALTER TABLE sessions DETACH PARTITION {last}; CREATE TABLE odd PARTITION OF sessions"
        " FOR VALUES FROM ('{start} 05:00+00') TO ('{end} 05:00+00')",
        "bound-odd",
        "public.odd",
    ),
    Fault(
        "a month made by hand",
        "CREATE TABLE by_hand PARTITION OF sessions FOR VALUES FROM ('{end} 00:00+00') TO ('{after} 00:00+00')",
        "month-not-ours",
        "public.by_hand",
    ),
    Fault(
        "the default partition dropped",
        "DROP TABLE audit_logs_default",
        "default-missing",
        "public.audit_logs",
    ),
    Fault("a row of 2099", EVENT.format("2099-12-31 23:59:59.999999+00"), "default-rows", "public.audit_logs"),
    Fault(
        "the months ahead dropped",
        "DROP TABLE {last}, {last_but_one}, {last_but_two}",
        "months-ahead-few",
        "public.sessions",
    ),
    Fault(
        "autovacuum turned off for a table",
        "ALTER TABLE credentials SET (autovacuum_enabled = false)",
        "autovacuum-off",
        "public.credentials",
    ),
    Fault("a report dropped", "DROP MATERIALIZED VIEW report_account_risk", "report-missing", "report_account_risk"),
    Fault(
        "a report emptied",
        "REFRESH MATERIALIZED VIEW report_account_risk WITH NO DATA",
        "report-empty",
        "report_account_risk",
    ),
    Fault(
        "the extension dropped, and with it its indexes",
        "DROP EXTENSION pg_trgm CASCADE",
        "extension-missing",
        "pg_trgm",
        along=("index-missing",),
    ),
    Fault(
        "a table renamed",
        "ALTER TABLE credential_rotations RENAME TO rotations",
        "table-missing",
        "credential_rotations",
    ),
]
