locals {
  s        = var.settings
  restores = var.snapshot_identifier != null
}

# Read only in the plan that restores from it: the snapshot may be gone afterwards.
data "aws_db_snapshot" "source" {
  count = local.restores ? 1 : 0

  db_snapshot_identifier = var.snapshot_identifier
  include_shared         = startswith(coalesce(var.snapshot_identifier, "-"), "arn:")
}

resource "aws_db_instance" "this" {
  identifier          = var.identifier
  snapshot_identifier = var.snapshot_identifier
  storage_encrypted   = var.kms_key_arn != null
  kms_key_id          = var.kms_key_arn

  instance_class              = local.s.instance_class
  engine                      = local.s.engine
  engine_version              = local.s.engine_version
  engine_lifecycle_support    = local.s.engine_lifecycle_support
  license_model               = local.s.license_model
  auto_minor_version_upgrade  = local.s.auto_minor_version_upgrade
  character_set_name          = local.s.character_set_name
  nchar_character_set_name    = local.s.nchar_character_set_name
  timezone                    = local.s.timezone
  custom_iam_instance_profile = local.s.custom_iam_instance_profile
  db_name                     = local.s.db_name
  username                    = local.s.username

  allocated_storage     = local.s.allocated_storage
  max_allocated_storage = local.s.max_allocated_storage
  storage_type          = local.s.storage_type
  iops                  = local.s.iops
  storage_throughput    = local.s.storage_throughput
  dedicated_log_volume  = local.s.dedicated_log_volume

  multi_az = local.s.multi_az
  # RDS chooses the zones of a Multi-AZ instance, and refuses to be told one.
  availability_zone         = local.s.multi_az == true ? null : local.s.availability_zone
  db_subnet_group_name      = local.s.db_subnet_group_name
  vpc_security_group_ids    = local.s.vpc_security_group_ids
  publicly_accessible       = local.s.publicly_accessible
  port                      = local.s.port
  network_type              = local.s.network_type
  customer_owned_ip_enabled = local.s.customer_owned_ip_enabled
  backup_target             = local.s.backup_target
  ca_cert_identifier        = local.s.ca_cert_identifier

  parameter_group_name                = local.s.parameter_group_name
  option_group_name                   = local.s.option_group_name
  iam_database_authentication_enabled = local.s.iam_database_authentication_enabled
  manage_master_user_password         = local.s.manage_master_user_password
  master_user_secret_kms_key_id       = local.s.master_user_secret_kms_key_id
  domain                              = local.s.domain
  domain_iam_role_name                = local.s.domain_iam_role_name
  domain_fqdn                         = local.s.domain_fqdn
  domain_ou                           = local.s.domain_ou
  domain_auth_secret_arn              = local.s.domain_auth_secret_arn
  domain_dns_ips                      = local.s.domain_dns_ips

  backup_retention_period = local.s.backup_retention_period
  backup_window           = local.s.backup_window
  maintenance_window      = local.s.maintenance_window
  copy_tags_to_snapshot   = local.s.copy_tags_to_snapshot

  enabled_cloudwatch_logs_exports       = local.s.enabled_cloudwatch_logs_exports
  monitoring_interval                   = local.s.monitoring_interval
  monitoring_role_arn                   = local.s.monitoring_role_arn
  performance_insights_enabled          = local.s.performance_insights_enabled
  performance_insights_kms_key_id       = local.s.performance_insights_kms_key_id
  performance_insights_retention_period = local.s.performance_insights_retention_period
  database_insights_mode                = local.s.database_insights_mode

  deletion_protection      = var.deletion_protection
  skip_final_snapshot      = var.skip_final_snapshot
  delete_automated_backups = var.delete_automated_backups
  tags                     = var.tags
  # No apply_immediately: what a rotation changes is applied at once by RDS anyway, while a change of that argument alone
  # (an import has none) makes the provider modify the instance for nothing, and wait for it for more than a minute.

  # Storage of terabytes takes hours; the provider's own limits (40, 80 and 60 minutes) would fail a sound restore.
  timeouts {
    create = "24h"
    update = "24h"
    delete = "4h"
  }

  lifecycle {
    # All of these are taken when the instance is made, and never again. Without this, dropping or adding a snapshot's
    # name, or a failover to another zone, would plan to replace the database; and a minor version that AWS put on in a
    # maintenance window would plan its own undoing.
    ignore_changes = [
      snapshot_identifier,
      availability_zone,
      character_set_name,
      nchar_character_set_name,
      timezone,
      db_name,
      username,
      engine_version,
    ]

    # The provider never sends kms_key_id on a restore, and the instance takes the snapshot's key. With the wrong snapshot
    # the apply would succeed, and only the next plan would show it, by replacing the database.
    precondition {
      condition     = !local.restores || one(data.aws_db_snapshot.source[*].encrypted) == (var.kms_key_arn != null)
      error_message = "Snapshot ${coalesce(var.snapshot_identifier, "-")} is ${one(data.aws_db_snapshot.source[*].encrypted) == true ? "encrypted, but the instance must not be" : "not encrypted, but the instance must be"}."
    }
    precondition {
      condition     = !local.restores || try(coalesce(one(data.aws_db_snapshot.source[*].kms_key_id), "none"), "none") == coalesce(var.kms_key_arn, "none")
      error_message = "Snapshot ${coalesce(var.snapshot_identifier, "-")} is under key ${try(coalesce(one(data.aws_db_snapshot.source[*].kms_key_id)), "none")}, not under ${coalesce(var.kms_key_arn, "none")}: an instance restored from it would have the wrong key."
    }
    precondition {
      condition     = !local.restores || one(data.aws_db_snapshot.source[*].status) == "available"
      error_message = "Snapshot ${coalesce(var.snapshot_identifier, "-")} is not available yet."
    }
    postcondition {
      condition     = self.storage_encrypted == (var.kms_key_arn != null)
      error_message = "Instance ${var.identifier} is ${self.storage_encrypted ? "encrypted, but must not be" : "not encrypted, but must be"}."
    }
    postcondition {
      condition     = var.kms_key_arn == null || self.kms_key_id == var.kms_key_arn
      error_message = "Instance ${var.identifier} is under key ${coalesce(self.kms_key_id, "none")}, not under ${coalesce(var.kms_key_arn, "none")}."
    }
  }
}
