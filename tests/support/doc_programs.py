#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compiles and runs every C++ program (a block with a main) in README.md and docs/, or in the pages that
DOC_PAGES names: doc_programs.py DIRECTORY_OF_GENERATED_HEADERS LIBRARY_OR_FLAG...

A block that begins with a comment "// NAME.hpp" is a header for the programs behind it on its page, and
takes the place of an earlier one of that name."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
generated_headers, *libraries = sys.argv[1:]
failed = 0
count = 0
pages = [ROOT / name for name in os.environ.get("DOC_PAGES", "").split()]
for page in pages or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
    headers = {}
    for block in re.findall(r"```cpp\n(.*?)```", page.read_text(), re.S):
        if header := re.match(r"// (\w+\.hpp)\n", block):
            headers[header[1]] = block
        if "int main(" not in block:
            continue
        count += 1
        with tempfile.TemporaryDirectory() as tmp:
            source = pathlib.Path(tmp) / "program.cpp"
            source.write_text(block)
            for name, text in headers.items():
                (source.parent / name).write_text(text)
            compiled = subprocess.run(
                ["g++", "-std=c++20", "-O1", f"-I{ROOT}/runtime/include",
                 f"-I{ROOT}/actors/include", f"-I{generated_headers}", str(source),
                 "-o", f"{tmp}/program", *libraries,
                 "-lcaf_core", "-lcares", "-lssl", "-lcrypto", "-pthread"],
                capture_output=True, text=True)
            if compiled.returncode == 0:
                compiled = subprocess.run([f"{tmp}/program"], capture_output=True, text=True,
                                          cwd=tmp, timeout=60)
            if compiled.returncode != 0:
                failed += 1
                print(f"{page.relative_to(ROOT)}: program {count}:\n{compiled.stdout}{compiled.stderr}")
print(f"-- {count - failed} of {count} programs of the docs run")
sys.exit(1 if failed or count == 0 else 0)
