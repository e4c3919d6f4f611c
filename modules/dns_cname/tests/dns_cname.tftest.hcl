# The gate's own behaviour (go, abort, nobody there, a driver that dies) needs a driver: tests/terraform/test_gate_module.py.
mock_provider "aws" {}

variables {
  zone_id = "Z0123456789ABCDEFGHIJ"
  name    = "db.example.com"
  target  = "shop-db.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com"
  ttl     = 60
}

run "record_without_gate" {
  command = apply

  assert {
    condition     = aws_route53_record.this.type == "CNAME" && aws_route53_record.this.ttl == 60
    error_message = "the record must be a CNAME with its TTL"
  }
  assert {
    condition     = output.target == "shop-db.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com" && output.name == "db.example.com"
    error_message = "the record must point to the target"
  }
  assert {
    condition     = length(terraform_data.gate) == 0
    error_message = "outside a flip there must be no gate"
  }
}

run "the_flip_is_known_in_the_plan" {
  command = plan

  variables {
    target = "shop-db-g1.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com"
    gate   = "/nonexistent/gate"
  }

  assert {
    condition     = aws_route53_record.this.records == toset(["shop-db-g1.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com"])
    error_message = "people must see in the plan where the record will point"
  }
  assert {
    condition     = length(terraform_data.gate) == 1
    error_message = "the flip must have a gate"
  }
}

run "ttl_bounds" {
  command = plan
  variables { ttl = 86400 }
}

run "ttl_zero" {
  command = plan
  variables { ttl = 0 }
  expect_failures = [var.ttl]
}

run "ttl_too_long" {
  command = plan
  variables { ttl = 86401 }
  expect_failures = [var.ttl]
}

run "name_with_trailing_dot" {
  command = plan
  variables { name = "db.example.com." }
  expect_failures = [var.name]
}

run "name_is_a_single_label" {
  command = plan
  variables { name = "db" }
  expect_failures = [var.name]
}

run "target_is_an_address_with_port" {
  command = plan
  variables { target = "db.example.com:5432" }
  expect_failures = [var.target]
}

run "zone_id_with_prefix" {
  command = plan
  variables { zone_id = "/hostedzone/Z0123456789ABCDEFGHIJ" }
  expect_failures = [var.zone_id]
}

run "gate_is_relative" {
  command = plan
  variables { gate = "gate" }
  expect_failures = [var.gate]
}

run "gate_never_waits" {
  command = plan
  variables { gate_wait_seconds = 0 }
  expect_failures = [var.gate_wait_seconds]
}
