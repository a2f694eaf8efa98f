#!/bin/sh
# From an installed `asva-kit` to a small model of your own: data, training, sampling, evaluation.
#
#   sh own_model.sh                       draws clips of the synthetic world and trains on them
#   CLIPS=videos STEPS=2000 sh own_model.sh      your own clips, in subfolders by what is heard in them
#
# Everything is written below OUT. Started again, each step goes on behind what it has done.
set -eu

OUT="${OUT:-own_model}"
CLIPS="${CLIPS:-}"
STEPS="${STEPS:-200}"
BATCH="${BATCH:-2}"
TESTS="${TESTS:-4}"

mkdir -p "$OUT"
if [ -z "$CLIPS" ]; then
    CLIPS="$OUT/raw"
    mkdir -p "$CLIPS"
    asva data synth --num 16 --seed 7 "$CLIPS/drawn"
fi

# 1. Clips into form; a quarter of them is kept for the test.
asva data prepare --test-share 0.25 "$CLIPS" "$OUT/dataset"
asva data check "$OUT/dataset"
mkdir -p "$OUT/true" "$OUT/made" "$OUT/bundled"

# 2. Trained is on train.txt alone. Both networks go on from the bundled model; the rest of it is taken as it is.
[ -d "$OUT/parts/training/keyframe" ] && RESUME=--resume || RESUME=--no-resume
asva train keyframe --folder "$OUT/parts" --data "$OUT/dataset" --steps "$STEPS" $RESUME \
    --set base=tiny --set "models={}" --set "train=[]" --set "loop.batch_size=$BATCH" --set data.workers=0
[ -d "$OUT/parts/training/interp" ] && RESUME=--resume || RESUME=--no-resume
asva train interp --folder "$OUT/parts" --data "$OUT/dataset" --steps "$STEPS" $RESUME \
    --set base=tiny --set "models={}" --set "train=[]" --set loop.batch_size=1 --set data.workers=0
[ -d "$OUT/model" ] || asva train assemble --folder "$OUT/parts" --base tiny --output "$OUT/model"

# 3. Videos for the clips that were kept back, by this model and by the bundled one.
head -n "$TESTS" "$OUT/dataset/test.txt" | while read -r name; do
    clip="$OUT/true/$(basename "$name")"
    cp "$OUT/dataset/videos/$name" "$clip"
    asva sample --model "$OUT/model" --image "$clip" --audio "$clip" --output "$OUT/made/$(basename "$name")" --overwrite
    asva sample --image "$clip" --audio "$clip" --output "$OUT/bundled/$(basename "$name")" --overwrite
done

# 4. How well: open report/report.html.
asva evaluate --generated "mine=$OUT/made" --generated "bundled=$OUT/bundled" --reference "$OUT/true" --output "$OUT/report"
