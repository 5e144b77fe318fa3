"""What the tools of attackers need."""
