"""Invitations, substitutes, and sign-ins that failed.

Revision: 20241203_people
"""

from __future__ import annotations

revision = "20241203_people"
down_revision = "20241202_reminders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
