#!/usr/bin/env bash
# Measures training on GPUs: speed, losses beside the CPU's, time by kernel, and PyTorch on the same GPU.
#
#     scripts/gpu_bench.sh [--ember BINARY] [--devices cuda,wgpu] [--config CONFIG] [--tokens 25000] [--length 32]
#                          [--updates 500] [--seconds 20] [--python PYTHON] [--out FOLDER]
#
# The machine needs neither Rust nor a network. Build elsewhere, on an older system rather than a newer one:
#
#     cargo build --release --features cuda,wgpu
#     strip -o ember target/release/ember
#     tar cJf ember-gpu.tar.xz ember configs data/sample scripts
#
# unpack there, and run `scripts/gpu_bench.sh --ember ./ember`. PYTHON is one with PyTorch; without PyTorch that part is left
# out. A part that fails is told and the others go on; the exit code is then 1. FOLDER gets every log, and summary.md.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ember=$root/target/release/ember devices=cuda,wgpu config=$root/configs/transformer-base.toml tokens=25000 length=32
updates=500 seconds=20 python=python3 out=gpu-bench

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }
while (($#)); do
  case $1 in
    --ember | --devices | --config | --tokens | --length | --updates | --seconds | --python | --out)
      [[ $# -ge 2 ]] || { echo "$1 needs a value" >&2; exit 2; }
      declare "${1#--}=$2"
      shift 2
      ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown argument $1" >&2; usage >&2; exit 2 ;;
  esac
done
[[ -x $ember ]] || { echo "$ember is not a program" >&2; echo "hint: name the binary with --ember" >&2; exit 1; }
ember=$(realpath "$ember")
mkdir -p "$out" && out=$(realpath "$out")
summary=$out/summary.md
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$out} # Mesa's drivers complain without one
: >"$summary"
failures=0

# Runs a command with its output in a log; a failure is told, and remembered.
part() {
  local log=$out/$1.log
  shift
  echo "== $*" >&2
  "$@" >"$log" 2>&1 && return
  failures=$((failures + 1))
  echo "failed, see $log: $(tail -n 1 "$log")" | tee -a "$summary" >&2
  return 1
}

# One number of training, in the last line, which is JSON.
number() { sed -n "\$s/\"decode\".*//; \$s/.*\"$2\":\\([0-9.eE+-]*\\).*/\\1/p" "$out/$1.log"; }

{
  echo "# GPU bench"
  echo
  echo '```'
  "$ember" --version
  "$ember" devices
  command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  echo '```'
  echo
  echo "## Training, $(basename "$config"), $tokens target tokens an update, sentences of $length"
  echo
  echo "| device | precision | ms an update | target tokens/s | loss |"
  echo "|---|---|---|---|---|"
} >>"$summary" 2>&1

IFS=, read -ra devices <<<"$devices"
bench() {
  "$ember" bench "$config" --device "$1" --json --seconds "$3" --batch 1 --length "$length" \
    --set "training.batch_tokens=$tokens" --set training.accumulate=1 --set "training.precision=$2"
}
for device in "${devices[@]}"; do
  for precision in fp32 bf16; do
    name=bench-${device/:/-}-$precision
    part "$name" bench "$device" "$precision" "$seconds" || continue
    echo "| $device | $precision | $(number "$name" milliseconds_per_update) | $(number "$name" target_tokens_per_second) |" \
      "$(number "$name" loss) |" >>"$summary"
  done
done

# The shipped corpus: the same weights, batches and dropout everywhere, so that losses can be compared.
train() {
  rm -rf "$out/run-$1-$2"
  "$ember" train "$root/configs/quickstart.toml" --device "${1/-/:}" --run-dir "$out/run-$1-$2" \
    --set "training.precision=$2" --set 'data.test={}' \
    --set "training.stop_after=\"${updates}u\"" --set "validation.every=\"${updates}u\""
}
losses() { sed -n 's/^{"update":[0-9]*,"epoch":[0-9]*,"loss":\([0-9.e+-]*\),.*/\1/p' "$out/run-$1/metrics.jsonl"; }
{
  echo
  echo "## $updates updates of quickstart, losses of device and CPU"
  echo
  echo "| device | precision | update 1 | half of them | the last | largest relative difference |"
  echo "|---|---|---|---|---|---|"
} >>"$summary"
part train-flex-fp32 train flex fp32
for device in "${devices[@]}"; do
  for precision in fp32 bf16; do
    name=${device/:/-}
    part "train-$name-$precision" train "$name" "$precision" || continue
    paste <(losses flex-fp32) <(losses "$name-$precision") | awk -v name="$device | $precision" '
      NF == 2 { cpu[NR] = $1; gpu[NR] = $2; d = ($2 - $1) / $1; d = d < 0 ? -d : d; if (d > most) most = d; n = NR }
      END {
        h = int((n + 1) / 2)
        printf "| %s | %s, %s | %s, %s | %s, %s | %.1e |\n", name, gpu[1], cpu[1], gpu[h], cpu[h], gpu[n], cpu[n], most
      }' >>"$summary"
  done
done

# Kernels are timed one by one, which slows everything down: only shares count.
profile() { CUBECL_DEBUG_LOG=$out/kernels-$1.txt CUBECL_DEBUG_OPTION=profile bench "$1" fp32 3; }
# Lines like "| 31.8µs | KernelBinop | AddOp_56ad2dde": time, kernel, and what it was made for with a number behind.
# What CubeCL runs once to find out about the device does not count.
shares() {
  awk -F' *[|] *' '
    NF < 3 || $2 !~ /^[0-9.]+(ns|µs|ms|s)$/ { next }
    {
      unit = $2; sub(/^[0-9.]+/, "", unit)
      seconds = $2 * (unit == "ns" ? 1e-9 : unit == "µs" ? 1e-6 : unit == "ms" ? 1e-3 : 1)
      name = $3
      if (name ~ /Throughput|LaunchOverhead|PrimeBuffer/) next
      if ($4 != "" && $4 !~ /^TensorArgs/) name = name " " $4
      sub(/_[0-9a-f]+$/, "", name)
      time[name] += seconds; total += seconds
    }
    END { for (name in time) printf "| %s | %.1f %% |\n", name, 100 * time[name] / total }' "$out/kernels-$1.txt" |
    sort -t'|' -k3 -rn | head -n 15
}
for device in "${devices[@]}"; do
  part "profile-${device/:/-}" profile "$device" || continue
  { echo; echo "## Time by kernel, $device, fp32"; echo; echo "| kernel | share |"; echo "|---|---|"; shares "$device"; } >>"$summary"
done

if "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
  for device in "${devices[@]}"; do
    part "pytorch-${device/:/-}" "$python" "$root/scripts/compare_pytorch.py" --ember "$ember" --config "$config" \
      --shapes "$((tokens / length))x$length" --device "$device" --torch-device cuda --seconds "$seconds" --compiled || continue
    { echo; echo "## PyTorch on the same GPU, against $device"; cat "$out/pytorch-${device/:/-}.log"; } >>"$summary"
  done
else
  echo "$python has no PyTorch that finds a GPU: not compared" | tee -a "$summary" >&2
fi

cat "$summary"
((failures == 0))
