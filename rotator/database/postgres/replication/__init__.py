"""Logical replication between the two servers of a rotation: opening, seeding, catching up, verifying, the window."""
