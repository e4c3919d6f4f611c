# Rendered by rotator: change rotation.toml and run `rotator render`, not this file.

output "serving" {
  description = "Generation that the record points to."
  value       = var.serving
}

output "endpoint" {
  description = "The record, and what it points to."
  value       = { name = module.endpoint.name, target = module.endpoint.target }
}

output "databases" {
  description = "Each generation's instance: identifier, address, and the key that it really is under."
  value = {
    for name, database in module.database : name => {
      identifier  = database.identifier
      address     = database.address
      kms_key_arn = database.kms_key_arn
    }
  }
}

output "keys" {
  description = "Each generation's key, where it is managed here."
  value       = { for name, key in module.key : name => { arn = key.arn, alias = key.alias } }
}
