"""What each operation does: plain functions over a context, with no GraphQL and no driver in sight."""
