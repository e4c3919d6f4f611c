"""Output for people and machines: live progress, plain lines, the closing summary, error texts."""
