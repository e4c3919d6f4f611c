"""What people and machines are told: the rotation strip, plain lines, the closing summary, error texts."""
