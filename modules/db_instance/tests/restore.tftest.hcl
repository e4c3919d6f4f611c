mock_provider "aws" {
  mock_resource "aws_db_instance" {
    defaults = {
      arn         = "arn:aws:rds:eu-central-1:123456789012:db:shop-db-g1"
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
  identifier  = "shop-db-g1"
  kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
  settings = {
    instance_class    = "db.m7g.large"
    engine            = "postgres"
    engine_version    = "15.18"
    multi_az          = true
    availability_zone = "eu-central-1a"
  }
}

run "restored_from_a_snapshot_under_the_key" {
  command = apply

  variables {
    snapshot_identifier = "shop-db-g1-copy"
  }

  assert {
    condition     = aws_db_instance.this.snapshot_identifier == "shop-db-g1-copy"
    error_message = "green must come from the copy"
  }
  assert {
    condition     = aws_db_instance.this.availability_zone != "eu-central-1a"
    error_message = "RDS refuses a zone together with Multi-AZ"
  }
}

run "the_snapshot_may_go_afterwards" {
  command = plan

  assert {
    condition     = aws_db_instance.this.snapshot_identifier == "shop-db-g1-copy" && length(data.aws_db_snapshot.source) == 0
    error_message = "forgetting the snapshot must change nothing"
  }
}

run "snapshot_under_another_key_is_refused" {
  command = plan

  variables {
    identifier          = "shop-db-g2"
    snapshot_identifier = "shop-db-g1-copy"
    kms_key_arn         = "arn:aws:kms:eu-central-1:123456789012:key/mrk-33333333333333333333333333333333"
  }

  expect_failures = [aws_db_instance.this]
}

run "snapshot_without_encryption_is_refused" {
  command = plan

  override_data {
    target = data.aws_db_snapshot.source[0]
    values = { encrypted = false, kms_key_id = "", status = "available" }
  }
  variables {
    identifier          = "shop-db-g2"
    snapshot_identifier = "shop-db-plain"
  }

  expect_failures = [aws_db_instance.this]
}

run "snapshot_that_is_still_copying_is_refused" {
  command = plan

  override_data {
    target = data.aws_db_snapshot.source[0]
    values = {
      encrypted  = true
      status     = "creating"
      kms_key_id = "arn:aws:kms:eu-central-1:123456789012:key/22222222-2222-2222-2222-222222222222"
    }
  }
  variables {
    identifier          = "shop-db-g2"
    snapshot_identifier = "shop-db-g1-copy"
  }

  expect_failures = [aws_db_instance.this]
}
