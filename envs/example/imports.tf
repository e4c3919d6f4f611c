# Rendered by rotator: change rotation.toml and run `rotator render`, not this file.

import {
  for_each = var.imports.keys
  to       = module.key[each.key].aws_kms_key.this
  id       = each.value
}

import {
  for_each = var.imports.aliases
  to       = module.key[each.key].aws_kms_alias.this[0]
  id       = each.value
}

import {
  for_each = var.imports.databases
  to       = module.database[each.key].aws_db_instance.this
  id       = each.value
}

import {
  for_each = var.imports.record == null ? toset([]) : toset([var.imports.record])
  to       = module.endpoint.aws_route53_record.this
  id       = each.value
}

import {
  for_each = var.imports.also
  to       = module.endpoint.aws_route53_record.also[each.key]
  id       = each.value
}
