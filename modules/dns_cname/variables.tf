variable "zone_id" {
  description = "Id of the hosted zone."
  type        = string

  validation {
    condition     = can(regex("^[A-Z0-9]{1,32}$", var.zone_id))
    error_message = "zone_id must be the bare id of a hosted zone, such as Z0123456789ABCDEFGHIJ."
  }
}

variable "name" {
  description = "Full name of the record, without a trailing dot."
  type        = string

  validation {
    condition     = length(var.name) <= 255 && can(regex("^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.name))
    error_message = "name must be a full DNS name in lower case without a trailing dot, such as db.example.com (labels of 1 to 63 letters, digits, hyphens or underscores, at most 255 characters in all)."
  }
}

variable "target" {
  description = "Host name that the record points to, without a trailing dot."
  type        = string

  validation {
    condition     = length(var.target) <= 255 && can(regex("^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$", var.target))
    error_message = "target must be a full DNS name without a trailing dot."
  }
}

variable "spelling" {
  description = "The record's value as people wrote it, such as one with a trailing dot. It counts for as long as it names `target`."
  type        = string
  default     = null
}

variable "also" {
  description = "Further CNAMEs that point to `target` and flip with the record, by keys of the caller's."
  type = map(object({
    zone_id  = string
    name     = string
    ttl      = number
    spelling = optional(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for record in values(var.also) : can(regex("^[A-Z0-9]{1,32}$", record.zone_id))])
    error_message = "each zone_id must be the bare id of a hosted zone, such as Z0123456789ABCDEFGHIJ."
  }

  validation {
    condition = alltrue([
      for record in values(var.also) :
      length(record.name) <= 255 && can(regex("^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", record.name))
    ])
    error_message = "each name must be a full DNS name in lower case without a trailing dot, such as db.example.com."
  }

  validation {
    condition     = alltrue([for record in values(var.also) : record.ttl >= 1 && record.ttl <= 86400 && floor(record.ttl) == record.ttl])
    error_message = "each ttl must be a whole number of seconds from 1 to 86400."
  }
}

variable "ttl" {
  description = "How long resolvers may keep the answer, in seconds, 1-86400."
  type        = number

  validation {
    condition     = var.ttl >= 1 && var.ttl <= 86400 && floor(var.ttl) == var.ttl
    error_message = "ttl must be a whole number of seconds from 1 to 86400."
  }
}

variable "gate" {
  description = "Folder with the two named pipes (`arrived`, `answer`) at which the driver waits, only in the plan that flips the record. Null: no gate."
  type        = string
  default     = null

  validation {
    condition     = var.gate == null || startswith(coalesce(var.gate, "-"), "/")
    error_message = "gate must be an absolute path."
  }
}

variable "gate_wait_seconds" {
  description = "Longest wait for the driver's answer at the gate, in seconds. After it the apply fails and the record stays as it is."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.gate_wait_seconds >= 1 && floor(var.gate_wait_seconds) == var.gate_wait_seconds
    error_message = "gate_wait_seconds must be a whole number of seconds, at least 1."
  }
}
