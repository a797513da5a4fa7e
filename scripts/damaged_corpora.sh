#!/usr/bin/env bash
# Tells what `ember train` does with every damaged corpus of a folder of NAME.src and NAME.tgt: exit code, pairs kept, message.
#
#     scripts/damaged_corpora.sh EMBER FOLDER
set -euo pipefail

if [[ $# -ne 2 ]]; then
  sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
ember=$1
corpora=$(realpath "$2")
if ! compgen -G "$corpora/*.src" >/dev/null; then
  echo "error: $corpora holds no NAME.src" >&2
  echo "hint: the folder has one NAME.src and one NAME.tgt for each case" >&2
  exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for source in "$corpora"/*.src; do
  name=$(basename "$source" .src)
  cat >"$folder/config.toml" <<TOML
name = "$name"
[data]
source = "src"
target = "tgt"
train = "$corpora/$name"
valid = "$corpora/$name"
[tokenizer]
kind = "bpe"
vocabulary = 400
[model]
d_model = 32
encoder_layers = 1
decoder_layers = 1
n_heads = 2
d_ff = 64
[training]
batch_tokens = 1024
stop_after = "2u"
[decoding]
max_length_ratio = 0.1
TOML
  code=0
  "$ember" train "$folder/config.toml" --run-dir "$folder/$name" >"$folder/out" 2>"$folder/err" || code=$?
  if grep -q panicked "$folder/err"; then code="$code PANIC"; fi
  # A grep that finds nothing must not end the script: a crash without a word is what it is here to tell.
  if [[ $code == 0 ]]; then
    what=$(sed "s#$corpora/##g" "$folder/err" | { grep -E 'training pairs|was removed|was kept' || true; } |
      paste -sd ';' | sed 's/;/; /g')
  else
    what=$(sed "s#$corpora/##g" "$folder/err" | { grep -v '^training' || true; } | tr '\n' ' ')
  fi
  printf '| %s | %s | %s |\n' "$name" "$code" "$what"
done
