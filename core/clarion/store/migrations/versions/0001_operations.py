"""Make the table of long-running operations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "operations",
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=True),
        sa.Column("model", sa.String(63), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("progress", sa.Float, nullable=False),
        sa.Column("stage", sa.String(256), nullable=False),
        sa.Column("error", sa.LargeBinary, nullable=True),
        sa.Column("response", sa.LargeBinary, nullable=True),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name="pk_operations"),
        sa.UniqueConstraint("tenant", "request_id", name="uq_operations_tenant_request_id"),
    )
    op.create_index(
        "ix_operations_tenant_create_time_id", "operations", ["tenant", "create_time", "id"]
    )


def downgrade() -> None:
    op.drop_table("operations")
