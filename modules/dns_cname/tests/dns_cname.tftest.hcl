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

run "the_value_as_people_wrote_it" {
  command = plan
  variables { spelling = "Shop-DB.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com." }

  assert {
    condition     = aws_route53_record.this.records == toset(["Shop-DB.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com."])
    error_message = "a value that names the target is kept letter by letter"
  }
}

run "another_hosts_spelling_does_not_count" {
  command = plan
  variables {
    spelling = "old-db.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com."
    also     = { one = { zone_id = "Z2", name = "legacy.example.com", ttl = 300, spelling = "old-db.example.com" } }
  }

  assert {
    condition = alltrue([
      for record in [aws_route53_record.this, aws_route53_record.also["one"]] :
      record.records == toset(["shop-db.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com"])
    ])
    error_message = "every record must point to the target, whatever a spelling says"
  }
}

run "further_records_have_their_own_zone_and_ttl" {
  command = plan
  variables {
    also = { one = { zone_id = "Z2", name = "legacy.example.com", ttl = 300 } }
  }

  assert {
    condition = (
      aws_route53_record.also["one"].zone_id == "Z2" && aws_route53_record.also["one"].ttl == 300 &&
      aws_route53_record.also["one"].type == "CNAME"
    )
    error_message = "a further record is a CNAME with its own zone and TTL"
  }
}

run "also_with_a_trailing_dot" {
  command = plan
  variables {
    also = { one = { zone_id = "Z2", name = "legacy.example.com.", ttl = 300 } }
  }
  expect_failures = [var.also]
}

run "also_without_a_ttl_to_speak_of" {
  command = plan
  variables {
    also = { one = { zone_id = "Z2", name = "legacy.example.com", ttl = 0 } }
  }
  expect_failures = [var.also]
}

run "also_with_a_zone_that_is_none" {
  command = plan
  variables {
    also = { one = { zone_id = "/hostedzone/Z2", name = "legacy.example.com", ttl = 60 } }
  }
  expect_failures = [var.also]
}
