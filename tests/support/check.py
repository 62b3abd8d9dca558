#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the tree that no compiler checks. Exits 1 and names what breaks them."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
problems = []


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return [p for p in out.splitlines() if (ROOT / p).is_file()]


def sources():
    return tracked("*.hpp", "*.cpp")


def check_format():
    files = sources()
    out = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *files], cwd=ROOT,
                         capture_output=True, text=True)
    for name in sorted({line.split(":")[0] for line in out.stderr.splitlines() if "error:" in line}):
        problems.append(f"{name}: format: clang-format-14 -i {name}")


def check_first_line():
    for name in sources():
        if not (ROOT / name).read_text().startswith("// SPDX-License-Identifier: BSD-3-Clause\n"):
            problems.append(f"{name}: the first line is not the SPDX line")


def check_orphans():
    words = {}
    for name in tracked("CMakeLists.txt", "*/CMakeLists.txt"):
        text = re.sub(r"#.*", "", (ROOT / name).read_text())
        words[pathlib.PurePath(name).parent] = set(re.findall(r"[\w./-]+", text))
    for name in sources():
        path = pathlib.PurePath(name)
        if path.parts[0] == "tests" and path.parts[1] in ("install", "compile_fail"):
            continue
        if path.suffix == ".hpp" and "include" not in path.parts:
            continue
        # listed by its path, or (a demo) by its stem, in a list beside or above it
        listed = (str(path.relative_to(folder).with_suffix(suffix)) in words.get(folder, ())
                  for folder in path.parents for suffix in (path.suffix, ""))
        if not any(listed):
            problems.append(f"{name}: in no CMakeLists.txt")


def check_includes():
    rules = [
        (r"^(actors|demos)/", r'#include [<"](troupe/)?detail/', "includes detail/"),
        (r"^runtime/", r"#include <troupe/actors", "includes actors/"),
        (r"^runtime/include/troupe/[^/]*\.hpp$", r"#include <boost/", "a public header includes Boost"),
    ]
    for name in sources():
        text = (ROOT / name).read_text()
        for where, what, message in rules:
            if re.search(where, name) and re.search(what, text):
                problems.append(f"{name}: {message}")


def check_words():
    for name in tracked("*.hpp", "*.cpp", "*.py", "*.md", "*.txt", "dev"):
        if name.endswith("check.py"):
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                problems.append(f"{name}:{number}: unfinished: {line.strip()}")


def check_links():
    for name in tracked("*.md"):
        text = re.sub(r"```.*?```|`[^`\n]*`", "", (ROOT / name).read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            if not (ROOT / name).parent.joinpath(target).exists():
                problems.append(f"{name}: dead link: {target}")


def check_headers_alone():
    out = subprocess.run(["cmake", "--build", "--preset", "dev", "--target",
                          "all_verify_interface_header_sets"], cwd=ROOT, capture_output=True,
                         text=True)
    if out.returncode != 0:
        problems.append("a header does not compile alone:\n" + out.stdout[-4000:])


for check in (check_format, check_first_line, check_orphans, check_includes, check_words,
              check_links, check_headers_alone):
    before = len(problems)
    check()
    print(f"-- {check.__name__}: {'ok' if len(problems) == before else 'see below'}", flush=True)
if problems:
    print("\n".join(problems))
    sys.exit(1)
