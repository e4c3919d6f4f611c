"""rotator: a new KMS key for an Amazon RDS database, with all of its data re-encrypted, under Terraform."""

__version__ = "0.1.0"
