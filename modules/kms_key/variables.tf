variable "alias" {
  description = "Name of the key, with its prefix alias/. Null: the key gets no alias."
  type        = string
  default     = null

  validation {
    condition     = var.alias == null || can(regex("^alias/[a-zA-Z0-9/_-]{1,250}$", var.alias))
    error_message = "alias must be alias/ and then 1 to 250 letters, digits, slashes, underscores or hyphens."
  }
  validation {
    condition     = var.alias == null || !startswith(coalesce(var.alias, "-"), "alias/aws/")
    error_message = "alias must not begin with alias/aws/: those names belong to AWS managed keys."
  }
}

variable "description" {
  description = "What the key is for, as people see it in KMS. At most 8192 characters."
  type        = string

  validation {
    condition     = length(var.description) <= 8192
    error_message = "description must be at most 8192 characters."
  }
}

variable "policy" {
  description = "Key policy as a JSON document, kept exactly as it is (adopted keys). Null: the module's own, a statement per audience."
  type        = string
  default     = null

  validation {
    condition     = var.policy == null || can(jsondecode(var.policy).Statement)
    error_message = "policy must be a JSON document with a Statement."
  }
}

variable "administrators" {
  description = "ARNs of IAM principals that may administer the key. Their statement allows no use; but by kms:PutKeyPolicy they can allow it to anybody. Ignored with `policy`."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for arn in var.administrators : can(regex("^arn:aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?:(iam|sts)::\\d{12}:(root|(user|role|assumed-role|federated-user)/.+)$", arn))
    ])
    error_message = "administrators must be ARNs of IAM principals, such as arn:aws:iam::123456789012:role/NAME (partitions aws, aws-cn, aws-us-gov and the isolated ones)."
  }
}

variable "users" {
  description = "ARNs of IAM principals that may use the key, and make grants of it for AWS resources. Ignored with `policy`."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for arn in var.users : can(regex("^arn:aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?:(iam|sts)::\\d{12}:(root|(user|role|assumed-role|federated-user)/.+)$", arn))
    ])
    error_message = "users must be ARNs of IAM principals, such as arn:aws:iam::123456789012:role/NAME (partitions aws, aws-cn, aws-us-gov and the isolated ones)."
  }
}

variable "rds_callers" {
  description = "Who may use the key by calling RDS: ARNs of IAM principals of this account; [\"*\"] for all of it; [] for those alone whose IAM policy allows it. Null: as [\"*\"], with the wider actions of keys that were made before there was a choice. Ignored with `policy`."
  type        = list(string)
  default     = null

  validation {
    condition = var.rds_callers == null ? true : alltrue([
      for arn in var.rds_callers : arn == "*" || can(regex("^arn:aws(-cn|-us-gov|-iso(-[a-z])?|-eusc)?:(iam|sts)::\\d{12}:(root|(user|role|assumed-role|federated-user)/.+)$", arn))
    ])
    error_message = "rds_callers must be ARNs of IAM principals, such as arn:aws:iam::123456789012:role/NAME, or [\"*\"]."
  }
  validation {
    condition     = var.rds_callers == null ? true : !contains(var.rds_callers, "*") || length(var.rds_callers) == 1
    error_message = "rds_callers must be [\"*\"] or a list of ARNs, not both."
  }
}

variable "enable_key_rotation" {
  description = "Whether KMS renews the key's material by itself. It re-encrypts nothing that is there."
  type        = bool
  default     = true
  nullable    = false
}

variable "rotation_period_in_days" {
  description = "Days between two rotations of the material, 90-2560. Null, or rotation off: left to KMS (365)."
  type        = number
  default     = 365

  validation {
    condition     = var.rotation_period_in_days == null ? true : var.rotation_period_in_days >= 90 && var.rotation_period_in_days <= 2560 && floor(var.rotation_period_in_days) == var.rotation_period_in_days
    error_message = "rotation_period_in_days must be a whole number from 90 to 2560."
  }
}

variable "deletion_window_in_days" {
  description = "Days between the scheduling of the key's deletion and the deletion, 7-30. Until then it can be cancelled."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.deletion_window_in_days >= 7 && var.deletion_window_in_days <= 30 && floor(var.deletion_window_in_days) == var.deletion_window_in_days
    error_message = "deletion_window_in_days must be a whole number from 7 to 30."
  }
}

variable "multi_region" {
  description = "Whether it is a multi-Region primary key. Cannot change on a key."
  type        = bool
  default     = false
  nullable    = false
}

variable "is_enabled" {
  description = "Whether the key can be used. False is the rehearsal of its deletion, and can be taken back at once."
  type        = bool
  default     = true
  nullable    = false
}

variable "tags" {
  description = "Tags of the key."
  type        = map(string)
  default     = {}
  nullable    = false
}
