#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""compile_fail.py FILE COMPILER FLAG...: FILE compiles, and with -DMISUSE does not, with the
message the file promises. That it compiles otherwise shows that nothing else is wrong."""

import os
import pathlib
import re
import subprocess
import sys

file, *compiler = sys.argv[1:]
expected = re.findall(r"^// says: (.+)$", pathlib.Path(file).read_text(), re.M)
if not expected:
    sys.exit(f"{file}: has no line '// says: ...'")


def compile_it(*more):
    done = subprocess.run([*compiler, "-fsyntax-only", *more, file], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"})
    return done.returncode, done.stderr


status, said = compile_it()
if status:
    sys.exit(f"does not compile without the misuse:\n{said}")
status, said = compile_it("-DMISUSE")
if not status:
    sys.exit("the misuse compiles")
for text in expected:
    if text not in said:
        sys.exit(f"the compiler does not say: {text}\nbut:\n{said}")
print(f"{pathlib.Path(file).stem}: does not compile, and says why")
