locals {
  # Each record with its value: as people wrote it (upper case, a trailing dot) for as long as it names the target.
  values = {
    for key, spelling in merge({ "" = var.spelling }, { for key, record in var.also : key => record.spelling }) :
    key => spelling != null && lower(trimsuffix(coalesce(spelling, "-"), ".")) == lower(var.target) ? spelling : var.target
  }
}

# The gate inside the cutover's apply. It exists only while a rotation flips the record; another target or another driver's
# pipes are another gate, so that one that was passed once never lets a second flip through.
resource "terraform_data" "gate" {
  count = var.gate == null ? 0 : 1

  triggers_replace = [var.gate, var.target]

  provisioner "local-exec" {
    # The script as a file, not its text: Terraform repeats the whole command when it fails.
    interpreter = ["/bin/sh"]
    command     = "${path.module}/gate.sh"
    quiet       = true
    environment = {
      GATE         = var.gate
      GATE_SECONDS = tostring(var.gate_wait_seconds)
    }
  }
}

resource "aws_route53_record" "this" {
  zone_id = var.zone_id
  name    = var.name
  type    = "CNAME"
  ttl     = var.ttl
  records = [local.values[""]]

  # And not through a value of the gate: the record's own values must be known in the plan that people review.
  depends_on = [terraform_data.gate]
}

# In the same apply, behind the same gate: none of them waits for another.
resource "aws_route53_record" "also" {
  for_each = var.also

  zone_id = each.value.zone_id
  name    = each.value.name
  type    = "CNAME"
  ttl     = each.value.ttl
  records = [local.values[each.key]]

  depends_on = [terraform_data.gate]
}
