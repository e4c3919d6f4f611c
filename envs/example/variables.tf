# Rendered by rotator: change rotation.toml and run `rotator render`, not this file.

# What a rotation changes is data, and comes from generations.auto.tfvars.json. No variable that a resource hangs on has a
# default: a plan without that file fails for a missing value, instead of planning to destroy what it has not heard of.

variable "generations" {
  description = "Every life of the database under one key: g0 is what was adopted. A half that is null is not (or no longer) managed here."
  type = map(object({
    key = optional(object({
      alias                   = optional(string)
      description             = string
      policy                  = optional(string)
      administrators          = optional(list(string), [])
      users                   = optional(list(string), [])
      rds_callers             = optional(list(string))
      enable_key_rotation     = optional(bool, true)
      rotation_period_in_days = optional(number)
      deletion_window_in_days = optional(number, 30)
      multi_region            = optional(bool, false)
      is_enabled              = optional(bool, true)
      tags                    = optional(map(string), {})
    }))
    database = optional(object({
      identifier          = string
      snapshot_identifier = optional(string)
      # Only where the generation's key is not managed here (AWS managed, or another team's).
      kms_key_arn              = optional(string)
      deletion_protection      = optional(bool, false)
      skip_final_snapshot      = optional(bool, false)
      delete_automated_backups = optional(bool, false)
      tags                     = optional(map(string), {})
      settings = object({
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
    }))
  }))
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.generations) : can(regex("^g[0-9]+$", name))])
    error_message = "generations must be named g0, g1, g2, ..."
  }
}

variable "serving" {
  description = "Generation that the record points to."
  type        = string
  nullable    = false

  validation {
    condition     = try(var.generations[var.serving].database != null, false)
    error_message = "serving must name a generation that has a database."
  }
}

variable "endpoint" {
  description = "The record that applications use. TTL in seconds; spelling is its value as it was found."
  type = object({
    zone_id  = string
    name     = string
    ttl      = number
    spelling = optional(string)
  })
  nullable = false
}

variable "also" {
  description = "Further records that point where that one does, and flip with it."
  type = list(object({
    zone_id  = string
    name     = string
    ttl      = number
    spelling = optional(string)
  }))
  nullable = false
}

variable "gate" {
  description = "Folder of the pipes at which the driver waits, in the plan that flips the record; else null."
  type        = string
  default     = null
}

variable "imports" {
  description = "What the adopt stage brings into the state, by generation: the ids to import. Empty in every other plan."
  type = object({
    keys      = optional(map(string), {})
    aliases   = optional(map(string), {})
    databases = optional(map(string), {})
    record    = optional(string)
    also      = optional(map(string), {})
  })
  default  = {}
  nullable = false
}
