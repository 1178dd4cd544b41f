#!/bin/sh
# Copies the model that the app draws with into the app: manifest.json, the golden images and the Core ML packages.
# TINYGAN_ARTIFACTS names their folder, or a bundle of several models; by default it is runs/animals64/artifacts of
# this repository, or runs/digits/artifacts without it. Xcode runs it.
set -eu

fail() {
    echo "error: $1" >&2
    exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
runs="$here/../../../runs"
default="$runs/animals64/artifacts"
[ -d "$default" ] || default="$runs/digits/artifacts"
from=${TINYGAN_ARTIFACTS:-"$default"}
[ -n "${TARGET_BUILD_DIR:-}" ] && [ -n "${UNLOCALIZED_RESOURCES_FOLDER_PATH:-}" ] ||
    fail "TARGET_BUILD_DIR and UNLOCALIZED_RESOURCES_FOLDER_PATH are not set; let Xcode run this script"
to="$TARGET_BUILD_DIR/$UNLOCALIZED_RESOURCES_FOLDER_PATH/Model"
[ -f "$from/manifest.json" ] || [ -f "$from/models.json" ] ||
    fail "no manifest.json in $from; export a model with python deploy/ios/export.py, or set TINYGAN_ARTIFACTS"

# Copies the model of the folder $1 into the folder $2.
copy_model() {
    manifest="$1/manifest.json"
    [ -f "$manifest" ] || fail "$manifest is missing; bundle the models again with python deploy/bundle.py"
    # The two kinds of names that the manifest has and the app needs; neither has a slash.
    packages=$(sed -n 's/^.*"file": "\([^"\/]*\.mlpackage\)".*$/\1/p' "$manifest" | sort -u)
    images=$(grep -o '"[^"/]*\.rgb"' "$manifest" | tr -d '"' | sort -u || true)
    [ -n "$packages" ] || fail "$manifest has no Core ML package; export one with python deploy/ios/export.py"
    [ -n "$images" ] || fail "$manifest has no golden image; export the model again with python deploy/ios/export.py"
    mkdir -p "$2"
    printf '%s\n' manifest.json "$packages" "$images" | while IFS= read -r file; do
        [ -e "$1/$file" ] || fail "$file of $manifest is missing; export it again with python deploy/ios/export.py"
        cp -R "$1/$file" "$2/" || fail "$1/$file cannot be copied into the app; make room on the disk"
    done
}

# Copied beside its place and renamed, so that a failure leaves no half model.
trap 'rm -rf "$to.new"' EXIT
rm -rf "$to.new"
mkdir -p "$to.new"
if [ -f "$from/models.json" ]; then
    folders=$(sed -n 's/^.*"folder": "\([^"\/]*\)".*$/\1/p' "$from/models.json")
    [ -n "$folders" ] || fail "$from/models.json names no model; bundle them again with python deploy/bundle.py"
    printf '%s\n' "$folders" | while IFS= read -r folder; do
        copy_model "$from/$folder" "$to.new/$folder"
    done
    cp "$from/models.json" "$to.new/" || fail "$from/models.json cannot be copied into the app; make room on the disk"
else
    copy_model "$from" "$to.new"
fi
# What the Finder leaves (.DS_Store, ._weight.bin) is no part of a package.
find "$to.new" -mindepth 1 -name '.*' -prune -exec rm -rf {} +
rm -rf "$to"
mv "$to.new" "$to"
echo "copied the model of $from"
