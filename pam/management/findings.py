"""Findings as commands show them: lines for a person, dictionaries for a program."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.core.management import BaseCommand

from pam.health.finding import Finding, Severity, by_urgency


def write_findings(command: BaseCommand, findings: Iterable[Finding]) -> None:
    """Each finding on its lines, the errors first."""
    for finding in by_urgency(findings):
        style = command.style.ERROR if finding.severity is Severity.ERROR else command.style.WARNING
        head, *rest = str(finding).splitlines()
        command.stdout.write(style(head))
        for line in rest:
            command.stdout.write(line)


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as `json.dumps` takes them."""
    return [asdict(finding) for finding in findings]
