mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
      arn         = "arn:aws:rds:eu-central-1:123456789012:db:shop-db"
      resource_id = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"
      address     = "shop-db.c1a2b3c4d5e6.eu-central-1.rds.amazonaws.com"
      port        = 5432
    }
  }
  mock_data "aws_db_snapshot" {
    defaults = {
      encrypted  = true
      status     = "available"
      kms_key_id = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
    }
  }
}

variables {
  identifier  = "shop-db"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
  settings = {
    instance_class    = "db.m7g.large"
    engine            = "postgres"
    engine_version    = "15.18"
    multi_az          = false
    availability_zone = "eu-central-1a"
  }
}

run "protected_by_default" {
  command = apply

  assert {
    condition     = !aws_db_instance.this.skip_final_snapshot && aws_db_instance.this.final_snapshot_identifier == null
    error_message = "an accidental destroy must fail: no final snapshot is named, and none may be skipped"
  }
  assert {
    condition     = !aws_db_instance.this.delete_automated_backups
    error_message = "point-in-time recovery must outlive the instance by default"
  }
  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.kms_key_arn && output.kms_key_arn == var.kms_key_arn
    error_message = "the instance must be under the wanted key"
  }
  assert {
    condition     = length(data.aws_db_snapshot.source) == 0
    error_message = "without a snapshot none must be looked for"
  }
  assert {
    condition     = aws_db_instance.this.availability_zone == "eu-central-1a"
    error_message = "a single-zone instance keeps its zone"
  }
}

run "identifier_with_two_hyphens" {
  command = plan
  variables { identifier = "shop--db" }
  expect_failures = [var.identifier]
}

run "identifier_ends_with_hyphen" {
  command = plan
  variables { identifier = "shop-db-" }
  expect_failures = [var.identifier]
}

run "identifier_begins_with_digit" {
  command = plan
  variables { identifier = "1shop" }
  expect_failures = [var.identifier]
}

run "identifier_too_long" {
  command = plan
  variables { identifier = "a234567890123456789012345678901234567890123456789012345678901234" }
  expect_failures = [var.identifier]
}

run "alias_as_key" {
  command = plan
  variables { kms_key_arn = "alias/shop-db" }
  expect_failures = [var.kms_key_arn]
}

run "aurora_is_not_an_instance" {
  command = plan
  variables { settings = { instance_class = "db.m7g.large", engine = "aurora-postgresql" } }
  expect_failures = [var.settings]
}

run "retention_too_long" {
  command = plan
  variables { settings = { instance_class = "db.m7g.large", engine = "postgres", backup_retention_period = 36 } }
  expect_failures = [var.settings]
}

run "monitoring_interval_unknown" {
  command = plan
  variables { settings = { instance_class = "db.m7g.large", engine = "postgres", monitoring_interval = 7 } }
  expect_failures = [var.settings]
}

run "class_without_prefix" {
  command = plan
  variables { settings = { instance_class = "m7g.large", engine = "postgres" } }
  expect_failures = [var.settings]
}

run "snapshot_name_is_nonsense" {
  command = plan
  variables { snapshot_identifier = "-x" }
  expect_failures = [var.snapshot_identifier]
}
