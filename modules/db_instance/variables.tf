variable "identifier" {
  description = "Identifier of the instance."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,62}$", var.identifier)) && !strcontains(var.identifier, "--") && !endswith(var.identifier, "-")
    error_message = "identifier must be 1 to 63 lower case letters, digits or hyphens, begin with a letter, not end with a hyphen, and not hold two hyphens in a row."
  }
}

variable "settings" {
  description = "What the instance is like: arguments of aws_db_instance by their names. What is left out is left as AWS has it."
  type = object({
    # Engine
    instance_class              = string
    engine                      = string
    engine_version              = optional(string)
    engine_lifecycle_support    = optional(string)
    license_model               = optional(string)
    auto_minor_version_upgrade  = optional(bool)
    character_set_name          = optional(string)
    nchar_character_set_name    = optional(string)
    timezone                    = optional(string)
    custom_iam_instance_profile = optional(string)
    db_name                     = optional(string)
    username                    = optional(string)
    # Storage: GiB, IO operations per second, MiB/s
    allocated_storage     = optional(number)
    max_allocated_storage = optional(number)
    storage_type          = optional(string)
    iops                  = optional(number)
    storage_throughput    = optional(number)
    dedicated_log_volume  = optional(bool)
    # Place and network
    multi_az                  = optional(bool)
    availability_zone         = optional(string)
    db_subnet_group_name      = optional(string)
    vpc_security_group_ids    = optional(list(string))
    publicly_accessible       = optional(bool)
    port                      = optional(number)
    network_type              = optional(string)
    customer_owned_ip_enabled = optional(bool)
    backup_target             = optional(string)
    ca_cert_identifier        = optional(string)
    # Groups, log-in, directory
    parameter_group_name                = optional(string)
    option_group_name                   = optional(string)
    iam_database_authentication_enabled = optional(bool)
    manage_master_user_password         = optional(bool)
    master_user_secret_kms_key_id       = optional(string)
    domain                              = optional(string)
    domain_iam_role_name                = optional(string)
    domain_fqdn                         = optional(string)
    domain_ou                           = optional(string)
    domain_auth_secret_arn              = optional(string)
    domain_dns_ips                      = optional(list(string))
    # Backup (days) and maintenance
    backup_retention_period = optional(number)
    backup_window           = optional(string)
    maintenance_window      = optional(string)
    copy_tags_to_snapshot   = optional(bool)
    # Watching: seconds, days
    enabled_cloudwatch_logs_exports       = optional(list(string))
    monitoring_interval                   = optional(number)
    monitoring_role_arn                   = optional(string)
    performance_insights_enabled          = optional(bool)
    performance_insights_kms_key_id       = optional(string)
    performance_insights_retention_period = optional(number)
    database_insights_mode                = optional(string)
  })

  validation {
    condition     = startswith(var.settings.instance_class, "db.")
    error_message = "settings.instance_class must begin with db., such as db.m7g.large."
  }
  validation {
    condition     = !startswith(var.settings.engine, "aurora") && var.settings.engine == lower(var.settings.engine)
    error_message = "settings.engine must be an RDS engine in lower case, such as postgres; Aurora is made of clusters, which this module does not handle."
  }
  validation {
    condition     = try(var.settings.backup_retention_period >= 0 && var.settings.backup_retention_period <= 35, var.settings.backup_retention_period == null)
    error_message = "settings.backup_retention_period must be 0 to 35 days."
  }
  validation {
    condition     = var.settings.monitoring_interval == null ? true : contains([0, 1, 5, 10, 15, 30, 60], var.settings.monitoring_interval)
    error_message = "settings.monitoring_interval must be 0, 1, 5, 10, 15, 30 or 60 seconds."
  }
  validation {
    condition     = var.settings.port == null ? true : var.settings.port >= 1150 && var.settings.port <= 65535
    error_message = "settings.port must be 1150 to 65535."
  }
  validation {
    condition = alltrue([
      for arn in [var.settings.performance_insights_kms_key_id, var.settings.master_user_secret_kms_key_id] :
      arn == null || can(regex("^arn:aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?:kms:[a-z0-9-]+:\\d{12}:key/.+$", arn))
    ])
    error_message = "settings.performance_insights_kms_key_id and settings.master_user_secret_kms_key_id must be ARNs of keys (arn:aws:kms:REGION:ACCOUNT:key/ID), not aliases."
  }
  validation {
    condition     = var.settings.monitoring_role_arn == null || can(regex("^arn:aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?:iam::\\d{12}:role/.+$", var.settings.monitoring_role_arn))
    error_message = "settings.monitoring_role_arn must be the ARN of an IAM role."
  }
}

variable "kms_key_arn" {
  description = "ARN of the key that the instance must be under. Null: the instance is not encrypted. A restore takes the key of its snapshot: this one is what that is held against."
  type        = string

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?:kms:[a-z0-9-]+:\\d{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID); an alias would replace the instance at every plan."
  }
}

variable "snapshot_identifier" {
  description = "Snapshot to restore the instance from: green, in the plan that makes it. It is looked at only while it is set, and setting it back to null afterwards changes nothing, so that the snapshot may be deleted."
  type        = string
  default     = null

  validation {
    condition     = var.snapshot_identifier == null || can(regex("^(rds:)?[a-zA-Z][a-zA-Z0-9-]{0,254}$|^arn:aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?:rds:[a-z0-9-]+:\\d{12}:snapshot:.+$", var.snapshot_identifier))
    error_message = "snapshot_identifier must be the name or the ARN of a DB snapshot."
  }
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the instance."
  type        = bool
  default     = false
  nullable    = false
}

variable "skip_final_snapshot" {
  description = "Whether it may be deleted without a final snapshot. While false, no destroy can succeed: no name is given for one. True only in the stage before it is deleted, when a final snapshot has been taken and verified."
  type        = bool
  default     = false
  nullable    = false
}

variable "delete_automated_backups" {
  description = "Whether its automated backups (point-in-time recovery) go with the instance. The provider's default is true; here it is not."
  type        = bool
  default     = false
  nullable    = false
}

variable "tags" {
  description = "Tags of the instance."
  type        = map(string)
  default     = {}
  nullable    = false
}
