"""What a rotation moves, by kind: how it is found, what it is to Terraform, and when two of a kind are the same."""
