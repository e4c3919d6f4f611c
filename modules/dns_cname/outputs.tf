output "name" {
  description = "Name of the record."
  value       = aws_route53_record.this.name
}

output "target" {
  description = "What the record points to."
  value       = one(aws_route53_record.this.records)
}
