#!/usr/bin/env bash
# Downloads a public parallel corpus as line-aligned plain text: line i of one file translates line i of the other.
#
#   scripts/download.sh CORPUS [FOLDER]
#
# writes FOLDER/CORPUS/<split>.<language>; FOLDER is the data folder of this repository unless given.
#
#   multi30k       en-de  train, valid, test2016             29 thousand pairs, image captions, raw text
#   multi30k-tok   en-de  train, valid, test2016             the same, lower-cased, normalised, Moses-tokenised
#   iwslt14        de-en  train, valid, test                 0.2 million pairs, TED talks, raw text
#   wmt14          en-de  train, valid, newstest2014         4.5 million pairs; downloads about 2 GB
#   wmt16          en-de  train, valid, newstest2014, newstest2016    the same with newer news; about 2 GB
#
# A corpus appears whole or not at all. What was downloaded before an interruption is kept in FOLDER/.CORPUS.partial,
# and the same command takes it up. Run again after success it only says what is there. One run at a time makes a corpus:
# FOLDER/.CORPUS.lock says which.
#
# Mirrors, each replacing the start of an address:
#
#   EMBER_MULTI30K_URL      https://raw.githubusercontent.com/multi30k/dataset/master
#   EMBER_IWSLT14_URL       https://dl.fbaipublicfiles.com/fairseq/data/iwslt14
#   EMBER_STATMT_URL        https://www.statmt.org
#   EMBER_STATMT_DATA_URL   https://data.statmt.org
#
# Every corpus has terms of its own, which its home states; this script grants nothing.
set -euo pipefail

# Text is bytes here: no locale may decide what a letter or a space is.
export LC_ALL=C

multi30k_url=${EMBER_MULTI30K_URL:-https://raw.githubusercontent.com/multi30k/dataset/master}
iwslt14_url=${EMBER_IWSLT14_URL:-https://dl.fbaipublicfiles.com/fairseq/data/iwslt14}
statmt_url=${EMBER_STATMT_URL:-https://www.statmt.org}
statmt_data_url=${EMBER_STATMT_DATA_URL:-https://data.statmt.org}

corpora="multi30k multi30k-tok iwslt14 wmt14 wmt16"

# ---- the corpora -----------------------------------------------------------------------------------------------------

# What a corpus consists of: `split:lines` for each split; 0 lines: any number, the same on both sides.
splits_of() {
    case $1 in
        multi30k | multi30k-tok) echo "train:29000 valid:1014 test2016:1000" ;;
        iwslt14) echo "train:0 valid:0 test:6750" ;;
        wmt14) echo "train:0 valid:3000 newstest2014:3003" ;;
        wmt16) echo "train:0 valid:3000 newstest2014:3003 newstest2016:2999" ;;
    esac
}

home_of() {
    case $1 in
        multi30k | multi30k-tok) echo "https://github.com/multi30k/dataset" ;;
        iwslt14) echo "https://wit3.fbk.eu" ;;
        wmt14) echo "https://www.statmt.org/wmt14/translation-task.html" ;;
        wmt16) echo "https://www.statmt.org/wmt16/translation-task.html" ;;
    esac
}

# Elliott et al. 2016, "Multi30K: Multilingual English-German Image Descriptions", task 1.
make_multi30k() {
    local language split
    for language in en de; do
        for split in train:train val:valid test_2016_flickr:test2016; do
            fetch "$multi30k_url/data/task1/raw/${split%:*}.$language.gz"
            unpack "${split%:*}.$language.gz" "${split#*:}.$language"
        done
    done
}

make_multi30k_tok() {
    local language split
    for language in en de; do
        for split in train:train val:valid test_2016_flickr:test2016; do
            fetch "$multi30k_url/data/task1/tok/${split%:*}.lc.norm.tok.$language"
            add "$downloads/${split%:*}.lc.norm.tok.$language" "${split#*:}.$language"
        done
    done
}

# Cettolo et al. 2014, the IWSLT evaluation campaign. As in most published work every 23rd pair of the training talks
# is held out for validation, and five older sets together are the test set. Published splits hold out after
# tokenising and leaving out long pairs; here nothing is left out, so the held-out pairs are not the same ones.
make_iwslt14() {
    local language name
    fetch "$iwslt14_url/de-en.tgz"
    for language in de en; do
        extract de-en.tgz "train.tags.de-en.$language"
        # Lines about a talk are no translations of each other; title and description are.
        sed -E -e '/^[[:space:]]*<(url|talkid|keywords|speaker|reviewer|translator|doc|\/doc)/d' \
            -e 's/<\/?(title|description)>//g' -e 's/^[[:space:]]+//' -e 's/[[:space:]]+$//' \
            "$work/train.tags.de-en.$language" >"$work/talks.$language"
        awk 'NR % 23 != 0' "$work/talks.$language" >"$text/train.$language"
        awk 'NR % 23 == 0' "$work/talks.$language" >"$text/valid.$language"
        for name in TED.dev2010 TEDX.dev2012 TED.tst2010 TED.tst2011 TED.tst2012; do
            extract de-en.tgz "IWSLT14.$name.de-en.$language.xml"
            add_segments "IWSLT14.$name.de-en.$language.xml" "test.$language"
        done
    done
}

# Bojar et al. 2014, the task of the Transformer paper: Europarl 7, Common Crawl, News Commentary 9.
make_wmt14() {
    fetch "$statmt_url/wmt14/training-parallel-nc-v9.tgz"
    fetch "$statmt_url/wmt14/dev.tgz"
    make_wmt training-parallel-nc-v9.tgz news-commentary-v9 dev.tgz
}

# Bojar et al. 2016: the same with News Commentary 11.
make_wmt16() {
    fetch "$statmt_data_url/wmt16/translation-task/training-parallel-nc-v11.tgz"
    fetch "$statmt_data_url/wmt16/translation-task/dev.tgz"
    fetch "$statmt_data_url/wmt16/translation-task/test.tgz"
    make_wmt training-parallel-nc-v11.tgz news-commentary-v11 dev.tgz
    extract test.tgz newstest2016-ende-src.en.sgm newstest2016-ende-ref.de.sgm
    add_segments newstest2016-ende-src.en.sgm newstest2016.en
    add_segments newstest2016-ende-ref.de.sgm newstest2016.de
}

# What the years share. Arguments: archive and name of the news commentary, archive of the development sets.
make_wmt() {
    local language
    fetch "$statmt_url/wmt14/test-full.tgz"
    fetch "$statmt_url/wmt13/training-parallel-europarl-v7.tgz"
    fetch "$statmt_url/wmt13/training-parallel-commoncrawl.tgz"
    extract training-parallel-europarl-v7.tgz europarl-v7.de-en.{en,de}
    extract training-parallel-commoncrawl.tgz commoncrawl.de-en.{en,de}
    extract "$1" "$2".de-en.{en,de}
    extract "$3" newstest2013.{en,de}
    extract test-full.tgz newstest2014-deen-src.en.sgm newstest2014-deen-ref.de.sgm
    # Each part by itself: two errors of opposite sign would not show in the sum.
    same_length "$work/europarl-v7.de-en" "$work/commoncrawl.de-en" "$work/$2.de-en"
    for language in en de; do
        add "$work/europarl-v7.de-en.$language" "train.$language"
        add "$work/commoncrawl.de-en.$language" "train.$language"
        add "$work/$2.de-en.$language" "train.$language"
        add "$work/newstest2013.$language" "valid.$language"
    done
    add_segments newstest2014-deen-src.en.sgm newstest2014.en
    add_segments newstest2014-deen-ref.de.sgm newstest2014.de
}

# ---- steps -----------------------------------------------------------------------------------------------------------

# An error with its hint; ends the script.
fail() {
    echo "error: $1" >&2
    echo "hint: $2" >&2
    exit 1
}

# Downloads an address to $downloads/<its file name>, from where an earlier run stopped.
fetch() {
    local url=$1 file="$downloads/${1##*/}"
    [[ -f $file ]] && return
    echo "downloading $url" >&2
    local status=0
    transfer "$url" "$file.part" || status=$?
    # 22, 33, 36 (curl) and 8 (wget): the server answered, but not to a request for the rest. Start from the beginning.
    if [[ $status =~ ^(22|33|36|8)$ && -s $file.part ]]; then
        rm -f "$file.part"
        status=0
        transfer "$url" "$file.part" || status=$?
    fi
    if [[ $status =~ ^(22|8)$ ]]; then
        fail "cannot download $url: the server answered with an error" \
            "the file may have moved; see $(home_of "$corpus"), or set a mirror as scripts/download.sh --help says"
    elif [[ $status -ne 0 ]]; then
        fail "cannot reach $url" \
            "check the network and https_proxy, or set a mirror as scripts/download.sh --help says; run the same command to go on"
    fi
    mv "$file.part" "$file"
}

# One transfer with curl or wget, which print their own reason for a failure; returns their exit status.
transfer() {
    if command -v curl >/dev/null; then
        local progress=(--silent --show-error)
        [[ -t 2 ]] && progress=(--progress-bar)
        curl --fail --location "${progress[@]}" --connect-timeout 20 --speed-limit 1 --speed-time 60 --retry 2 \
            --continue-at - --output "$2" "$1"
    else
        wget --no-verbose --continue --connect-timeout=20 --read-timeout=60 --tries=3 --output-document="$2" "$1"
    fi
}

# A download that cannot be read is of no use to a later run.
unreadable() {
    local file="$downloads/$1"
    local start
    start=$(head -c 60 "$file" | tr -cd '[:print:]')
    rm -f "$file"
    fail "$1 cannot be unpacked; it starts with \"$start\"" \
        "it came damaged, or a proxy or login page answered instead; the file was removed, run the same command again"
}

# Decompresses download $1 to split file $2.
unpack() {
    gzip -dc "$downloads/$1" >"$work/unpacked" 2>/dev/null || unreadable "$1"
    add "$work/unpacked" "$2"
}

# Extracts files of download $1 to $work, by their names, whatever folder of the archive they are in.
extract() {
    local archive=$1 name member listing
    shift
    listing="$work/$archive.list"
    [[ -f $listing ]] || tar -tzf "$downloads/$archive" >"$listing" 2>/dev/null || {
        rm -f "$listing"
        unreadable "$archive"
    }
    local members=()
    for name in "$@"; do
        member=$(awk -v name="$name" '{ n = split($0, part, "/") } part[n] == name && !found++' "$listing")
        [[ -n $member ]] || fail "$archive holds no $name" "the archive may have changed; see $(home_of "$corpus")"
        members+=("$member")
    done
    tar -xzf "$downloads/$archive" -C "$work" "${members[@]}" 2>/dev/null || unreadable "$archive"
    for member in "${members[@]}"; do
        [[ $work/$member -ef $work/${member##*/} ]] || mv "$work/$member" "$work/${member##*/}"
    done
}

# Appends file $1 to split file $2; a last line without an end gets one, or the next file would continue it.
add() {
    cat "$1" >>"$text/$2"
    [[ -z $(tail -c 1 "$1") ]] || echo >>"$text/$2"
}

# Appends the <seg> lines of SGML or XML file $1, without markup, to split file $2. Entities stay, as in sacreBLEU.
add_segments() {
    sed -n -e '/<seg[ >]/!d' -e 's/^[^<]*<seg[^>]*>[[:space:]]*//' -e 's/[[:space:]]*<\/seg>.*$//' -e p \
        "$work/$1" >>"$text/$2"
}

count_lines() {
    wc -l <"$1" | tr -d ' '
}

# Fails unless <path>.en and <path>.de have as many lines, for each path given.
same_length() {
    local path
    for path in "$@"; do
        [[ $(count_lines "$path.en") == "$(count_lines "$path.de")" ]] || fail \
            "${path##*/} has $(count_lines "$path.en") lines of en and $(count_lines "$path.de") of de" \
            "a download may be damaged; remove $work and run the same command again"
    done
}

# Checks every split in folder $1: both sides there, as long as each other, as long as known.
verify() {
    local folder=$1 entry split expected lines
    for entry in $(splits_of "$corpus"); do
        split=${entry%:*}
        expected=${entry#*:}
        [[ -f $folder/$split.en && -f $folder/$split.de ]] || return 1
        lines=$(count_lines "$folder/$split.en")
        if [[ $lines != "$(count_lines "$folder/$split.de")" || $lines -eq 0 ]]; then
            return 1
        fi
        if [[ $expected -ne 0 && $lines -ne $expected ]]; then
            return 1
        fi
    done
}

# The line counts of every split in folder $1, one line each.
describe() {
    local folder=$1 entry split language expected
    for entry in $(splits_of "$corpus"); do
        split=${entry%:*}
        expected=${entry#*:}
        for language in en de; do
            if [[ ! -f $folder/$split.$language ]]; then
                echo "  $split.$language  missing"
            elif [[ $expected -ne 0 ]]; then
                echo "  $split.$language  $(count_lines "$folder/$split.$language") lines of $expected"
            else
                echo "  $split.$language  $(count_lines "$folder/$split.$language") lines"
            fi
        done
    done
}

# Makes this the only run that works on the corpus, until `leave`. The folder is the lock: it is made by one run alone.
lock() {
    local owner
    if ! mkdir "$lock" 2>/dev/null; then
        [[ -d $lock ]] || fail "cannot make $lock" "check the permissions of $folder"
        owner=$(cat "$lock/owner" 2>/dev/null || true)
        fail "another run is making $corpus: ${owner:-it has not said which}" \
            "wait until it is done; if there is no such run any more, remove $lock and run the same command again"
    fi
    locked=yes
    echo "process $$ on $(uname -n), since $(date '+%Y-%m-%d %H:%M')" >"$lock/owner"
}

# What every end of the script does: tidies up, and gives the lock back if it is ours.
leave() {
    [[ $locked == yes ]] || return 0
    tidy
    rm -rf "$lock"
    [[ $made_folder == no ]] || rmdir "$folder" 2>/dev/null || true
}

# Leaves only downloads, which a later run goes on with; leaves nothing if there are none.
tidy() {
    [[ -d $work ]] || return 0
    find "$work" -mindepth 1 -maxdepth 1 ! -name download -exec rm -rf {} +
    find "$downloads" -type f -size 0 -exec rm -f {} + 2>/dev/null || true
    rmdir "$downloads" "$work" 2>/dev/null || true
}

usage() {
    sed -n '2,/^set /{/^#/!d;s/^# \{0,1\}//;p;}' "${BASH_SOURCE[0]}"
}

main() {
    case ${1:-} in
        -h | --help) usage; exit 0 ;;
        "") usage >&2; exit 2 ;;
    esac
    corpus=$1
    if [[ " $corpora " != *" $corpus "* || $# -gt 2 ]]; then
        echo "error: no corpus \"$*\"; there are: $corpora" >&2
        echo "hint: scripts/download.sh --help" >&2
        exit 2
    fi
    folder=${2:-$(dirname "${BASH_SOURCE[0]}")/../data}
    made_folder=no
    [[ -d $folder ]] || made_folder=yes
    mkdir -p "$folder" || fail "cannot make the folder $folder" "give another folder as the second argument"
    folder=$(cd "$folder" && pwd)

    answer_if_there

    local tool
    command -v curl >/dev/null || command -v wget >/dev/null ||
        fail "neither curl nor wget is installed" "install one of them (Debian: apt-get install curl)"
    for tool in tar gzip awk sed; do
        command -v $tool >/dev/null || fail "$tool is not installed" "install it (Debian: apt-get install $tool)"
    done

    work="$folder/.$corpus.partial"
    downloads="$work/download"
    text="$work/text"
    lock="$folder/.$corpus.lock"
    locked=no
    trap leave EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    lock
    # The run that held the lock a moment ago may have made it.
    answer_if_there
    mkdir -p "$downloads"
    tidy_text
    echo "terms and description: $(home_of "$corpus")" >&2
    "make_${corpus//-/_}"

    verify "$text" || {
        describe "$text" >&2
        rm -rf "$downloads"
        fail "the downloaded $corpus is not what was expected" \
            "the downloads were removed, run the same command again; see $(home_of "$corpus") if it happens twice"
    }
    mv "$text" "$folder/$corpus"
    rm -rf "$work"
    echo "wrote $folder/$corpus"
    describe "$folder/$corpus"
}

# Ends the script where the corpus is there already.
answer_if_there() {
    [[ -e $folder/$corpus ]] || return 0
    verify "$folder/$corpus" || {
        describe "$folder/$corpus" >&2
        fail "$folder/$corpus exists, but is not the whole corpus" "move it away, or give another folder"
    }
    echo "already there: $folder/$corpus"
    describe "$folder/$corpus"
    exit 0
}

# What an earlier run unpacked may be incomplete: only its downloads are used again.
tidy_text() {
    find "$work" -mindepth 1 -maxdepth 1 ! -name download -exec rm -rf {} +
    mkdir "$text"
}

main "$@"
