#!/usr/bin/env bash
# Kills a training run with SIGKILL at random moments, starts it again each time, and compares it with an undisturbed run.
#
#     scripts/kill_test.sh EMBER CONFIG KILLS [more arguments of `ember train`]
#
# Everything but the clock's fields must be the same, byte for byte: weights, optimizer, states, metrics, translations.
set -euo pipefail

if [[ $# -lt 3 ]]; then
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
ember=$1 config=$2 kills=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Each has a parent of its own: token stores lie beside the runs, and a shared one would leave no tokenising to kill.
mkdir "$folder/a" "$folder/b"
whole=("$ember" train "$config" --run-dir "$folder/a/whole" "$@")
killed=("$ember" train "$config" --run-dir "$folder/b/killed" "$@")

started=$EPOCHREALTIME
"${whole[@]}" >"$folder/whole.log" 2>&1
length=$(awk -v a="$started" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
echo "undisturbed: $length s"

done=0 in_checkpoint=0
while ((done < kills)); do
  "${killed[@]}" >"$folder/killed.log" 2>&1 &
  child=$!
  # On average the run's length divided by the kills: what each kill undoes keeps the run from ending too early. Some come
  # before the first update, some while a checkpoint is written.
  sleep "$(awk -v l="$length" -v k="$kills" -v r=$RANDOM 'BEGIN { print 2 * l / k * r / 32768 }')"
  if ! kill -9 "$child" 2>/dev/null; then
    wait "$child"
    echo "the run ended after $done kills; the config is too short for $kills" >&2
    exit 1
  fi
  wait "$child" 2>/dev/null || true
  done=$((done + 1))
  if compgen -G "$folder/b/killed/checkpoints/.tmp-*" >/dev/null; then in_checkpoint=$((in_checkpoint + 1)); fi
done
echo "killed $done times, $in_checkpoint of them while a checkpoint was written"
"${killed[@]}" >"$folder/killed.log" 2>&1

# The clock's fields: JSON members and TSV columns with `seconds` or `per_second` in their names.
without_clock() {
  local run=$1
  sed -E 's/"[a-z_]*(seconds|per_second)[a-z_]*":[^,}]*//g' "$run/metrics.jsonl" >"$run/metrics.compared"
  awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) clock[i] = $i ~ /seconds|per_second/ }
    { for (i = 1; i <= NF; i++) if (!clock[i]) printf "%s\t", $i; print "" }' "$run/validations.tsv" >"$run/validations.compared"
  rm -f "$run"/metrics.jsonl "$run"/validations.tsv "$run"/train.log "$run"/events.* "$run"/.lock
}
without_clock "$folder/a/whole"
without_clock "$folder/b/killed"
diff -r "$folder/a/whole" "$folder/b/killed"
echo "identical: $(find "$folder/a/whole" -type f | wc -l) files, $(wc -l <"$folder/a/whole/metrics.compared") updates"
