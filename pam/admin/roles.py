"""The roles of the directory."""

from django.contrib import admin

from pam.admin.common import CommonAdmin
from pam.models import DirectoryRole


@admin.register(DirectoryRole)
class DirectoryRoleAdmin(CommonAdmin):
    """A role of Entra and the rules for getting it."""

    noun = "role"
    when_empty = "Load those of Microsoft Entra: python manage.py load_directory_roles"
    list_display = ("role_name", "category", "is_privileged", "is_enabled", "risk_level", "assignment_count")
    list_filter = ("is_privileged", "is_enabled", "is_built_in", "risk_level", "category")
    search_fields = ("role_name", "description")
    ordering = ("role_name",)
    # Counted from the assignments.
    readonly_fields = ("assignment_count", "total_assignments", "last_assigned", "average_assignment_duration_days")
    fieldsets = (
        (None, {"fields": ("role_name", "description", "template_id", "azure_role_id", "role_version")}),
        (
            "Kind",
            {
                "fields": (
                    "category",
                    "subcategory",
                    "scope",
                    "is_privileged",
                    "is_built_in",
                    "is_enabled",
                    "risk_level",
                    "risk_score",
                )
            },
        ),
        (
            "Before somebody gets it",
            {
                "fields": (
                    "requires_justification",
                    "requires_approval",
                    "requires_certification",
                    "training_required",
                    "max_assignment_duration_days",
                    "certification_frequency_days",
                    "compliance_frameworks",
                    "documentation_url",
                    "training_url",
                )
            },
        ),
        (
            "What it allows",
            {
                "fields": (
                    "can_manage_users",
                    "can_manage_groups",
                    "can_manage_applications",
                    "can_manage_devices",
                    "can_write_directory",
                    "can_read_directory",
                    "permissions",
                    "graph_permissions_delegated",
                    "graph_permissions_application",
                )
            },
        ),
        ("Use", {"fields": readonly_fields}),
    )
