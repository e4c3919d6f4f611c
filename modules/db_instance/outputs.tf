output "identifier" {
  description = "Identifier of the instance."
  value       = aws_db_instance.this.identifier
}

output "resource_id" {
  description = "RDS's own id of the instance, which no other one ever gets."
  value       = aws_db_instance.this.resource_id
}

output "arn" {
  description = "ARN of the instance."
  value       = aws_db_instance.this.arn
}

output "address" {
  description = "Host name of the instance's endpoint: what the CNAME points to."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Port of the instance's endpoint."
  value       = aws_db_instance.this.port
}

output "kms_key_arn" {
  description = "ARN of the key that the instance really is under, or an empty string."
  value       = aws_db_instance.this.kms_key_id
}
