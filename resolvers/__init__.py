"""What each operation does: plain functions over a context. No GraphQL and no database driver here."""
