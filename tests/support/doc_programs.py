#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compiles and runs every C++ program (a block with a main) in README.md and docs/, or in the pages that
DOC_PAGES names: doc_programs.py DIRECTORY_OF_GENERATED_HEADERS LIBRARY_OR_FLAG...

A block that begins with a comment "// NAME.hpp" is a header for the programs behind it on its page, and
takes the place of an earlier one of that name."""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
generated_headers, *libraries = sys.argv[1:]
COMPILE = ["g++", "-std=c++20", "-O1", f"-I{ROOT}/runtime/include", f"-I{ROOT}/actors/include",
           f"-I{generated_headers}"]
MOST_INCLUDE = "troupe/troupe.hpp"
pages = [ROOT / name for name in os.environ.get("DOC_PAGES", "").split()]


def programs():
    """Of each: where it is, its text, and its page's headers."""
    count = 0
    for page in pages or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        headers = {}
        for block in re.findall(r"```cpp\n(.*?)```", page.read_text(), re.S):
            if header := re.match(r"// (\w+\.hpp)\n", block):
                headers = {**headers, header[1]: block}
            if "int main(" in block:
                count += 1
                yield f"{page.relative_to(ROOT)}: program {count}", block, headers


def precompiled(directory):
    """What most programs include, so that those which do need not read it again."""
    header = pathlib.Path(directory) / "common.hpp"
    header.write_text(f"#include <{MOST_INCLUDE}>\n")
    subprocess.run([*COMPILE, "-x", "c++-header", str(header), "-o", f"{header}.gch"], check=True)
    return str(header)


def compiled(name, text, headers, common):
    """In a directory of its own, and what the compiler said."""
    directory = tempfile.TemporaryDirectory()
    source = pathlib.Path(directory.name) / "program.cpp"
    for file, content in {**headers, source.name: text}.items():
        (source.parent / file).write_text(content)
    done = subprocess.run(
        [*COMPILE, *(["-include", common] if f"#include <{MOST_INCLUDE}>" in text else []), str(source),
         "-o", f"{directory.name}/program", *libraries, "-lcaf_core", "-lcares", "-lssl", "-lcrypto", "-pthread"],
        capture_output=True, text=True)
    return name, directory, done


failed = 0
count = 0
# Compiled side by side; run one after another, as some listen on the same port.
with (tempfile.TemporaryDirectory() as shared,
      concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool):
    common = precompiled(shared)
    for name, directory, done in pool.map(lambda p: compiled(*p, common), programs()):
        count += 1
        with directory as tmp:
            if done.returncode == 0:
                done = subprocess.run([f"{tmp}/program"], capture_output=True, text=True, cwd=tmp,
                                      timeout=60)
        if done.returncode != 0:
            failed += 1
            print(f"{name}:\n{done.stdout}{done.stderr}", flush=True)
print(f"-- {count - failed} of {count} programs of the docs run")
sys.exit(1 if failed or count == 0 else 0)
