"""What a technician's question needs, in one import: loaded with the first question, not with a start."""

from __future__ import annotations

from posd.diagnostics.access import Access
from posd.diagnostics.actions import Actions
from posd.diagnostics.answers import Terminal
from posd.diagnostics.server import DiagnosticServer
from posd.diagnostics.service import DiagnosticService

__all__ = ["Access", "Actions", "DiagnosticServer", "DiagnosticService", "Terminal"]
