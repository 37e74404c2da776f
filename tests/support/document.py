"""The 17 advanced indexes as the migration strategy document states them, statement by statement."""

INDEXES = {
    "ix_service_identities_active_name_partial": "service_identities (name)"
    " WHERE is_active = true AND is_deleted = false",
    "ix_service_identities_rotation_partial": "service_identities (next_rotation_date)"
    " WHERE next_rotation_date IS NOT NULL AND is_active = true",
    "ix_service_identities_expiration_partial": "service_identities (expires_at)"
    " WHERE expires_at IS NOT NULL AND is_active = true",
    "ix_service_identities_search_gin": "service_identities USING gin (name gin_trgm_ops, description gin_trgm_ops)",
    "ix_directory_roles_search_gin": "directory_roles USING gin (role_name gin_trgm_ops, description gin_trgm_ops)",
    "ix_role_assignments_expiry_partial": "role_assignments (expires_at)"
    " WHERE expires_at IS NOT NULL AND is_active = true",
    "ix_role_assignments_certification_partial": "role_assignments (next_certification_date)"
    " WHERE requires_certification = true AND is_active = true",
    "ix_role_assignments_emergency_partial": "role_assignments (is_emergency, assigned_at) WHERE is_emergency = true",
    "ix_sessions_expiry_cleanup_partial": "sessions (expires_at, is_active) WHERE is_active = true",
    "ix_sessions_active_activity_partial": "sessions (last_activity) WHERE is_active = true",
    "ix_privileged_users_active_upn_partial": "privileged_users (upn) WHERE is_active = true AND is_deleted = false",
    "ix_credentials_rotation_schedule_partial": "credentials (next_rotation_date, auto_rotation_enabled)"
    " WHERE next_rotation_date IS NOT NULL AND auto_rotation_enabled = true",
    "ix_credentials_expiry_partial": "credentials (expires_at, status)"
    " WHERE expires_at IS NOT NULL AND status = 'active'",
    "ix_credentials_active_name_partial": "credentials (name) WHERE status = 'active' AND is_deleted = false",
    "ix_credential_rotations_retry_partial": "credential_rotations (next_retry_at)"
    " WHERE next_retry_at IS NOT NULL AND status = 'failed'",
    "ix_audit_logs_compliance_gin": "audit_logs USING gin (compliance_frameworks)",
    "ix_audit_logs_search_gin": "audit_logs USING gin (description gin_trgm_ops, details gin_trgm_ops)",
}
