output "arn" {
  description = "ARN of the key: what RDS stores, and what `kms_key_id` of an instance must be (an alias there would force a replacement)."
  value       = aws_kms_key.this.arn
}

output "key_id" {
  description = "Id of the key."
  value       = aws_kms_key.this.key_id
}

output "alias" {
  description = "Name of the key's alias, or null."
  value       = one(aws_kms_alias.this[*].name)
}
