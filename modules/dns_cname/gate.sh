# The gate: tells the driver that the apply stands before the flip, and waits for its word. POSIX sh, nothing else.
# GATE is the folder with the driver's two named pipes, GATE_SECONDS the longest wait for its answer.
# Ends 0 only on the word "go". With no driver at the pipes, with one that dies, and after the wait, it fails.

set -u

say() { printf 'gate: %s\n' "$1" >&2; }

# watch SECONDS MESSAGE: end this script when the time is over. Opening a pipe that nobody holds blocks for ever, and there
# is no `timeout` in POSIX. sleep must not keep the script's output open: Terraform would wait for it. When the script
# itself is gone (Terraform was interrupted), the watch ends too.
watch() {
  left=$1
  while [ "$left" -gt 0 ] && kill -0 $$ 2>/dev/null; do
    sleep 1 </dev/null >/dev/null 2>&1
    left=$((left - 1))
  done
  kill -0 $$ 2>/dev/null || exit 0
  say "$2"
  kill -TERM $$
}

if [ ! -p "$GATE/arrived" ] || [ ! -p "$GATE/answer" ]; then
  say "no driver waits at $GATE: the record is flipped by rotator alone, never by an apply by hand. Nothing has changed."
  exit 1
fi

watch 10 "nobody listens at $GATE: the driver is gone. Nothing has changed." &
guard=$!
# The answer's pipe is opened first: a driver that dies from here on, at whatever moment, is the end of that file.
exec 3<"$GATE/answer" || exit 1
echo arrived >"$GATE/arrived" || exit 1
kill "$guard" 2>/dev/null

watch "$GATE_SECONDS" "no answer within $GATE_SECONDS s. Nothing has changed." &
guard=$!
word=
IFS= read -r word <&3 || word=
kill "$guard" 2>/dev/null

if [ "$word" = go ]; then
  exit 0
fi
say "the driver called the flip off, or died. Nothing has changed."
exit 1
