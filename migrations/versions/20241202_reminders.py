"""Days off that the office sets itself.

Revision: 20241202_reminders
"""

from __future__ import annotations

revision = "20241202_reminders"
down_revision = "20241201_spine"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
