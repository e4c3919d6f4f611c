# Rendered by rotator: change rotation.toml and run `rotator render`, not this file.

locals {
  with_key      = { for name, generation in var.generations : name => generation.key if generation.key != null }
  with_database = { for name, generation in var.generations : name => generation.database if generation.database != null }
}

module "key" {
  source   = "../../modules/kms_key"
  for_each = local.with_key

  alias                   = each.value.alias
  description             = each.value.description
  policy                  = each.value.policy
  administrators          = each.value.administrators
  users                   = each.value.users
  rds_callers             = each.value.rds_callers
  enable_key_rotation     = each.value.enable_key_rotation
  rotation_period_in_days = each.value.rotation_period_in_days
  deletion_window_in_days = each.value.deletion_window_in_days
  multi_region            = each.value.multi_region
  is_enabled              = each.value.is_enabled
  tags                    = each.value.tags
}

module "database" {
  source   = "../../modules/db_instance"
  for_each = local.with_database

  identifier               = each.value.identifier
  settings                 = each.value.settings
  snapshot_identifier      = each.value.snapshot_identifier
  kms_key_arn              = each.value.kms_key_arn != null ? each.value.kms_key_arn : try(module.key[each.key].arn, null)
  deletion_protection      = each.value.deletion_protection
  skip_final_snapshot      = each.value.skip_final_snapshot
  delete_automated_backups = each.value.delete_automated_backups
  tags                     = each.value.tags
}

module "endpoint" {
  source = "../../modules/dns_cname"

  zone_id  = var.endpoint.zone_id
  name     = var.endpoint.name
  ttl      = var.endpoint.ttl
  spelling = var.endpoint.spelling
  also     = { for record in var.also : "${record.zone_id}/${record.name}" => record }
  target   = module.database[var.serving].address
  gate     = var.gate
}
