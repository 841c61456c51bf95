"""Tell evaluations from fits; all operations of before are fits."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("operations") as table:
        table.add_column(sa.Column("kind", sa.String(16), nullable=False, server_default="FIT"))


def downgrade() -> None:
    with op.batch_alter_table("operations") as table:
        table.drop_column("kind")
