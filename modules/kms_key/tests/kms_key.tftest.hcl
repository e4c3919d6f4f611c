mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-central-1", name = "eu-central-1" }
  }
  mock_resource "aws_kms_key" {
    defaults = {
      arn    = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
      key_id = "11111111-2222-3333-4444-555555555555"
    }
  }
}

variables {
  alias       = "alias/shop-db"
  description = "shop-db data, generation g1"
}

run "defaults_are_safe" {
  command = apply

  assert {
    condition     = aws_kms_key.this.enable_key_rotation && aws_kms_key.this.rotation_period_in_days == 365
    error_message = "the material must rotate yearly by default"
  }
  assert {
    condition     = aws_kms_key.this.deletion_window_in_days == 30 && aws_kms_key.this.is_enabled && !aws_kms_key.this.multi_region
    error_message = "a key must be enabled, in one Region, with the longest deletion window by default"
  }
  assert {
    condition     = aws_kms_alias.this[0].name == "alias/shop-db" && output.alias == "alias/shop-db"
    error_message = "the alias must be made"
  }
  assert {
    condition     = output.arn == aws_kms_key.this.arn
    error_message = "the ARN must be given, never the alias"
  }
  assert {
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid] == ["Account", "Rds", "RdsGrantsForAwsResources"]
    error_message = "without principals the policy must have the account's and the service's statements alone"
  }
}

run "a_statement_per_audience" {
  command = apply

  variables {
    administrators = ["arn:aws:iam::123456789012:role/keys"]
    users          = ["arn:aws-cn:iam::123456789012:role/app", "arn:aws-us-gov:iam::123456789012:user/me"]
  }

  assert {
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid] == ["Account", "Administrators", "Users", "UsersGrantsForAwsResources", "Rds", "RdsGrantsForAwsResources"]
    error_message = "every audience must have its own statement"
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_kms_key.this.policy).Statement : s.Condition.Bool["kms:GrantIsForAWSResource"] == "true"
      if contains(s.Action, "kms:CreateGrant")
    ])
    error_message = "grants must be possible for AWS resources only"
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_kms_key.this.policy).Statement :
      s.Condition.StringEquals["kms:ViaService"] == ["rds.eu-central-1.amazonaws.com"] && s.Condition.StringEquals["kms:CallerAccount"] == "123456789012"
      if s.Principal == { AWS = "*" }
    ])
    error_message = "a wildcard principal must be bound to RDS and to the account"
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_kms_key.this.policy).Statement : !contains(keys(s), "Condition") if contains(["Account", "Administrators", "Users"], s.Sid)
    ])
    error_message = "an empty Condition must not be sent"
  }
  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[0].Principal.AWS == "arn:aws:iam::123456789012:root"
    error_message = "the account must keep the key"
  }
  assert {
    condition = length(setintersection(
      jsondecode(aws_kms_key.this.policy).Statement[1].Action,
      ["kms:Decrypt", "kms:Encrypt", "kms:CreateGrant", "kms:*"],
    )) == 0
    error_message = "administrators must not be able to use the key"
  }
}

run "keys_without_a_choice_keep_their_statements" {
  command = apply

  assert {
    condition = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Action if startswith(s.Sid, "Rds")] == [
      ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"],
      ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
    ]
    error_message = "a key that was made before there was a choice must have an empty plan"
  }
}

run "everybody_by_rds_with_what_rds_asks_for" {
  command = apply

  variables {
    rds_callers = ["*"]
  }

  assert {
    condition = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Action if startswith(s.Sid, "Rds")] == [
      ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"],
      ["kms:CreateGrant"],
    ]
    error_message = "RDS's callers must have no more than RDS asks for"
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_kms_key.this.policy).Statement :
      s.Principal == { AWS = "*" } && s.Condition.StringEquals["kms:CallerAccount"] == "123456789012" && length(s.Condition.StringEquals["kms:ViaService"]) == 1
      if startswith(s.Sid, "Rds")
    ])
    error_message = "everybody must be bound to RDS and to the account"
  }
}

run "named_callers_of_rds" {
  command = apply

  variables {
    rds_callers = ["arn:aws:iam::123456789012:role/rotator", "arn:aws:iam::123456789012:role/deploy"]
  }

  assert {
    condition     = !strcontains(aws_kms_key.this.policy, "\"*\"},") && !strcontains(aws_kms_key.this.policy, "\"AWS\":\"*\"")
    error_message = "with a list nobody else may use the key"
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_kms_key.this.policy).Statement :
      s.Principal.AWS == ["arn:aws:iam::123456789012:role/deploy", "arn:aws:iam::123456789012:role/rotator"] && s.Condition.StringEquals["kms:CallerAccount"] == "123456789012"
      if startswith(s.Sid, "Rds")
    ])
    error_message = "the named ones, in a fixed order, through RDS alone"
  }
  assert {
    condition = [
      for s in jsondecode(aws_kms_key.this.policy).Statement : s.Condition.Bool["kms:GrantIsForAWSResource"] if s.Sid == "RdsGrantsForAwsResources"
    ] == ["true"]
    error_message = "grants must be possible for AWS resources only"
  }
}

run "nobody_by_the_keys_policy" {
  command = apply

  variables {
    rds_callers = []
  }

  assert {
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid] == ["Account"]
    error_message = "an empty list must leave it to IAM"
  }
}

run "callers_of_rds_are_principals" {
  command = plan
  variables { rds_callers = ["rds.amazonaws.com"] }
  expect_failures = [var.rds_callers]
}

run "everybody_stands_alone" {
  command = plan
  variables { rds_callers = ["*", "arn:aws:iam::123456789012:role/rotator"] }
  expect_failures = [var.rds_callers]
}

run "a_given_policy_is_kept" {
  command = apply

  variables {
    policy         = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    administrators = ["arn:aws:iam::123456789012:role/keys"]
  }

  assert {
    condition     = aws_kms_key.this.policy == "{\"Version\":\"2012-10-17\",\"Statement\":[]}"
    error_message = "an adopted key must keep its own policy exactly"
  }
}

run "china_names_the_service_both_ways" {
  command = apply

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[1].Condition.StringEquals["kms:ViaService"] == ["rds.eu-central-1.amazonaws.com", "rds.eu-central-1.amazonaws.com.cn"]
    error_message = "both suffixes must be let through"
  }
}

run "no_alias_no_rotation_disabled" {
  command = apply

  variables {
    alias               = null
    enable_key_rotation = false
    is_enabled          = false
  }

  assert {
    condition     = length(aws_kms_alias.this) == 0 && output.alias == null
    error_message = "no alias was asked for"
  }
  assert {
    condition     = !aws_kms_key.this.is_enabled && !aws_kms_key.this.enable_key_rotation
    error_message = "the key must be disabled and its material left alone"
  }
}

run "bounds_hold" {
  command = plan

  variables {
    rotation_period_in_days = 90
    deletion_window_in_days = 7
  }
}

run "alias_without_prefix" {
  command = plan
  variables { alias = "shop-db" }
  expect_failures = [var.alias]
}

run "alias_of_aws" {
  command = plan
  variables { alias = "alias/aws/rds" }
  expect_failures = [var.alias]
}

run "period_too_short" {
  command = plan
  variables { rotation_period_in_days = 89 }
  expect_failures = [var.rotation_period_in_days]
}

run "period_too_long" {
  command = plan
  variables { rotation_period_in_days = 2561 }
  expect_failures = [var.rotation_period_in_days]
}

run "window_too_short" {
  command = plan
  variables { deletion_window_in_days = 6 }
  expect_failures = [var.deletion_window_in_days]
}

run "window_too_long" {
  command = plan
  variables { deletion_window_in_days = 31 }
  expect_failures = [var.deletion_window_in_days]
}

run "administrator_is_no_arn" {
  command = plan
  variables { administrators = ["*"] }
  expect_failures = [var.administrators]
}

run "user_is_no_principal" {
  command = plan
  variables { users = ["arn:aws:kms:eu-central-1:123456789012:key/x"] }
  expect_failures = [var.users]
}

run "policy_is_no_json" {
  command = plan
  variables { policy = "allow all" }
  expect_failures = [var.policy]
}
