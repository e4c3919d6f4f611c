#!/bin/sh
# The manual procedure as a plain shell runbook: Terraform for what Terraform owns, the AWS CLI for snapshots, loops that
# wait. It is what rotator is timed beside (bench/overhead.py), so it takes no detour: the data of every stage lies ready,
# nobody reads a plan, and there is no fence, no comparison of contents, no check of a plan, no journal.
#
# TERRAFORM, ROOT, STAGES (folder of <stage>.json), BLUE, GREEN, SOURCE, COPY, KEY_ALIAS, OLD_TTL and POLL (seconds), RECORD, ZONE_ID;
# the AWS_* variables point at the account.
set -eu

say() { echo "$(date +%T) $*"; }

cli() { # The AWS CLI's version 1 does not heed AWS_ENDPOINT_URL for RDS in us-east-1.
    aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"
}

apply() { # stage: data, plan, apply
    say "terraform: $1"
    cp "$STAGES/$1.json" "$ROOT/generations.auto.tfvars.json"
    "$TERRAFORM" -chdir="$ROOT" plan -input=false -no-color -out=tfplan >"$ROOT/$1.plan.log"
    "$TERRAFORM" -chdir="$ROOT" apply -input=false -no-color tfplan >"$ROOT/$1.apply.log"
}

snapshot_status() {
    cli rds describe-db-snapshots --db-snapshot-identifier "$1" --query 'DBSnapshots[0].Status' --output text
}

await_snapshot() {
    while status=$(snapshot_status "$1") && [ "$status" != available ]; do
        [ "$status" != failed ] || exit 1
        sleep "$POLL"
    done
}

"$TERRAFORM" -chdir="$ROOT" init -input=false -no-color >"$ROOT/init.log"
apply adopt
apply lower-ttl
lowered=$(date +%s)
apply key
key=$(cli kms describe-key --key-id "$KEY_ALIAS" --query KeyMetadata.Arn --output text)

say "snapshot $SOURCE"
cli rds create-db-snapshot --db-instance-identifier "$BLUE" --db-snapshot-identifier "$SOURCE" >/dev/null
await_snapshot "$SOURCE"
say "copy $COPY under $key"
cli rds copy-db-snapshot --source-db-snapshot-identifier "$SOURCE" --target-db-snapshot-identifier "$COPY" \
    --kms-key-id "$key" >/dev/null
await_snapshot "$COPY"

apply green
while [ "$(date +%s)" -lt $((lowered + OLD_TTL)) ]; do
    sleep "$POLL"
done
apply cutover
"$TERRAFORM" -chdir="$ROOT" plan -input=false -no-color -detailed-exitcode >"$ROOT/last.plan.log"

green_key=$(cli rds describe-db-instances --db-instance-identifier "$GREEN" \
    --query 'DBInstances[0].KmsKeyId' --output text)
target=$(cli route53 list-resource-record-sets --hosted-zone-id "$ZONE_ID" \
    --query "ResourceRecordSets[?Name=='$RECORD.'].ResourceRecords[0].Value" --output text)
address=$(cli rds describe-db-instances --db-instance-identifier "$GREEN" \
    --query 'DBInstances[0].Endpoint.Address' --output text)
[ "$green_key" = "$key" ] || { say "green is under $green_key, not $key"; exit 1; }
[ "${target%.}" = "$address" ] || { say "$RECORD points at $target, not at $address"; exit 1; }
say "done: $RECORD -> $address, key $key"
