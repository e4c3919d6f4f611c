data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account    = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = data.aws_region.current.id
  dns_suffix = data.aws_partition.current.dns_suffix

  use_actions = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
  ]
  grant_actions = ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"]

  # What RDS asks of KMS in the name of its caller: CreateGrant and DescribeKey for everything that makes or changes an
  # encrypted instance or snapshot (RDS User Guide, "AWS KMS key management"), Decrypt and GenerateDataKey for who reads
  # Database Insights ("Configuring access policies for Database Insights"). Encrypting and copying is done by RDS itself, by
  # the grant. A key without `rds_callers` keeps the statements that it was made with: its plan stays empty.
  rds_use_actions   = var.rds_callers == null ? local.use_actions : ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"]
  rds_grant_actions = var.rds_callers == null ? local.grant_actions : ["kms:CreateGrant"]
  rds_everybody     = var.rds_callers == null ? true : contains(var.rds_callers, "*")
  rds_named         = var.rds_callers == null ? [] : sort([for arn in var.rds_callers : arn if arn != "*"])
  rds_principals = concat(
    [for everybody in [local.rds_everybody] : { AWS = "*" } if everybody],
    [for named in [local.rds_named] : { AWS = named } if length(named) > 0],
  )

  # No cryptographic use by these statements. It is no wall: by PutKeyPolicy an administrator can give the use to anybody.
  administer_actions = [
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ReplicateKey",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
    "kms:UpdatePrimaryRegion",
  ]

  # RDS acts in the name of whoever calls it: the call comes through RDS and from this account. The China partition has
  # a suffix of its own; the documentation writes the condition without it, so both are let through there.
  through_rds = {
    StringEquals = {
      "kms:CallerAccount" = local.account
      "kms:ViaService" = distinct([
        "rds.${local.region}.amazonaws.com",
        "rds.${local.region}.${local.dns_suffix}",
      ])
    }
  }
  for_aws_resource = { Bool = { "kms:GrantIsForAWSResource" = "true" } }

  statements = concat(
    [
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = ["kms:*"]
        Resource  = "*"
        Condition = {}
      },
    ],
    [
      for principals in [var.administrators] : {
        Sid       = "Administrators"
        Effect    = "Allow"
        Principal = { AWS = sort(principals) }
        Action    = local.administer_actions
        Resource  = "*"
        Condition = {}
      } if length(principals) > 0
    ],
    [
      for principals in [var.users] : {
        Sid       = "Users"
        Effect    = "Allow"
        Principal = { AWS = sort(principals) }
        Action    = local.use_actions
        Resource  = "*"
        Condition = {}
      } if length(principals) > 0
    ],
    [
      for principals in [var.users] : {
        Sid       = "UsersGrantsForAwsResources"
        Effect    = "Allow"
        Principal = { AWS = sort(principals) }
        Action    = local.grant_actions
        Resource  = "*"
        Condition = local.for_aws_resource
      } if length(principals) > 0
    ],
    [
      for principal in local.rds_principals : {
        Sid       = "Rds"
        Effect    = "Allow"
        Principal = principal
        Action    = local.rds_use_actions
        Resource  = "*"
        Condition = local.through_rds
      }
    ],
    [
      for principal in local.rds_principals : {
        Sid       = "RdsGrantsForAwsResources"
        Effect    = "Allow"
        Principal = principal
        Action    = local.rds_grant_actions
        Resource  = "*"
        Condition = merge(local.through_rds, local.for_aws_resource)
      }
    ],
  )

  # AWS refuses an empty Condition, and a list in Terraform wants elements of one shape: so it is dropped only here.
  own_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for s in local.statements : { for k, v in s : k => v if !(k == "Condition" && length(v) == 0) }]
  })
}

# The policy is an argument and not a resource of its own: as its own resource it makes noise in every plan after a change.
# No prevent_destroy: it would not protect a block that is gone from the configuration, and it would block the retiring of
# an old key. What protects is that a destroy only schedules the deletion, at least seven days ahead, and can be cancelled.
resource "aws_kms_key" "this" {
  description             = var.description
  policy                  = var.policy == null ? local.own_policy : var.policy
  enable_key_rotation     = var.enable_key_rotation
  rotation_period_in_days = var.enable_key_rotation ? var.rotation_period_in_days : null
  deletion_window_in_days = var.deletion_window_in_days
  multi_region            = var.multi_region
  is_enabled              = var.is_enabled
  tags                    = var.tags
}

resource "aws_kms_alias" "this" {
  count = var.alias == null ? 0 : 1

  name          = var.alias
  target_key_id = aws_kms_key.this.key_id
}
