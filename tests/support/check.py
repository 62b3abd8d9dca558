#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the tree that no compiler checks. Exits 1 and names what breaks them."""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

# what returns `auto` and is no awaitable
NOT_AWAITED = {"named"}

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
    for name in tracked("dev", ".ci/run", "*.in", "*.cmake", "*CMakeLists.txt", "*.py", "*.sh"):
        if "SPDX-License-Identifier: BSD-3-Clause\n" not in (ROOT / name).read_text()[:200]:
            problems.append(f"{name}: has no SPDX line at its top")


def check_orphans():
    words = {}
    elsewhere = set()  # listed as ../x
    for name in tracked("CMakeLists.txt", "*/CMakeLists.txt"):
        text = re.sub(r"#.*", "", (ROOT / name).read_text())
        folder = pathlib.PurePath(name).parent
        words[folder] = set(re.findall(r"[\w./-]+", text))
        elsewhere |= {os.path.normpath(folder / w) for w in words[folder] if w.startswith("../")}
    for name in sources():
        path = pathlib.PurePath(name)
        if path.parts[0] == "tests" and path.parts[1] == "install":
            continue
        if path.suffix == ".hpp" and "include" not in path.parts:
            continue
        # listed by its path, or (a demo) by its stem, in a list beside or above it
        listed = (str(path.relative_to(folder).with_suffix(suffix)) in words.get(folder, ())
                  for folder in path.parents for suffix in (path.suffix, ""))
        if str(path) not in elsewhere and not any(listed):
            problems.append(f"{name}: in no CMakeLists.txt")


def check_includes():
    # which files, what they never include, and what to call it
    rules = [
        (r"^(actors|demos)/", r"(troupe/|.*\.\./)?detail/", "includes detail/"),
        # of Boost, lists without nodes: small, and of headers alone
        (r"^actors/include/", r"(boost/(?!intrusive/list\.hpp)|openssl|hiredis|postgresql|libpq-fe\.h|pq|sqlite3|pybind11|Python\.h)", "an installed header includes it"),
        (r"^demos/", r"(caf|boost|openssl)/", "a demo includes more than troupe and std"),
        (r"^runtime/", r"(troupe/|.*\.\./)actors/", "includes actors/"),
        (r"^runtime/(?!include/troupe/testing/|src/testing/)", r"(troupe/|.*\.\./)testing/",
         "only the test kit and tests include it"),
        # asio.hpp is the one header for those who use Asio, boost_test.hpp for Boost.Test
        (r"^runtime/include/troupe/(?!detail/caf/|asio\.hpp|testing/boost_test\.hpp)", r"(boost|openssl)/", "an installed header includes it"),
        (r"^runtime/include/troupe/", r"troupe/asio\.hpp", "only programs include it"),
        # CAF's version-dependent side stays in two folders; anything may name what all versions have
        (r"^(runtime|actors)/(?!src/caf/|include/troupe/detail/caf/)",
         r"caf/(?!(actor|actor_control_block|actor_system|error|fwd|message)\.hpp)",
         "only runtime/src/caf/ and detail/caf/ include CAF's version-dependent headers"),
    ]
    for name in sources():
        included = re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)', (ROOT / name).read_text(), re.M)
        for where, what, message in rules:
            for header in included:
                if re.match(where, name) and re.match(what, header):
                    problems.append(f"{name}: {header}: {message}")


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


def check_promises():
    """Each promise in docs/promises.md names tests that exist, one at least with its number."""
    known = set()
    for name in tracked("tests/*.cpp", "tests/*.py", "tests/*CMakeLists.txt"):
        text = (ROOT / name).read_text()
        known |= set(re.findall(r"_TEST_CASE\(\s*(\w+)", text))
        known |= set(re.findall(r"^def (\w+)\(", text, re.M))
        known |= {f"p25_shuffled.{t}" for t in re.findall(r"^ *troupe_test\((\w+)", text, re.M)}
    promises = re.split(r"^## P(\d+): ", (ROOT / "docs/promises.md").read_text(), flags=re.M)[1:]
    if not promises:
        problems.append("docs/promises.md: names no promise")
    for number, text in zip(promises[::2], promises[1::2]):
        named = re.findall(r"`((?:p\d\d_)+[\w.]+)`", text)
        for test in named:
            if test not in known:
                problems.append(f"docs/promises.md: P{number}: there is no test {test}")
        if not any(f"p{int(number):02}_" in test for test in named):
            problems.append(f"docs/promises.md: P{number}: no test carries its number")


def check_waiting():
    for name in tracked("tests/*.cpp", "tests/*.hpp"):
        if name.startswith("tests/bench/"):
            continue
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
            if re.search(r"\b(sleep_for|sleep_until)\b.*\bthis_thread|this_thread::sleep|\bu?sleep\(|nanosleep",
                         line):
                problems.append(f"{name}:{number}: waits for real time: {line.strip()}")


def test_names():
    """All tests: suite/case, programs/case, compile_fail/case."""
    names = {f"compile_fail/{pathlib.PurePath(p).stem}" for p in tracked("tests/compile_fail/*.cpp")}
    for name in tracked("tests/*_test.cpp"):
        suite = ""
        for what, word in re.findall(r"(?:BOOST_AUTO|TROUPE)_TEST_(SUITE|CASE)\(\s*(\w+)",
                                     (ROOT / name).read_text()):
            if what == "SUITE":
                suite = word
            else:
                names.add(f"{suite}/{word}")
    for name in tracked("tests/runtime/programs/program_test.py"):
        names |= {f"programs/{f}" for f in re.findall(r"^def (\w+)\(\):", (ROOT / name).read_text(), re.M)}
        listed = set(re.findall(r"^  (\w+)$", (ROOT / name).with_name("CMakeLists.txt").read_text(), re.M))
        for case in {n.split("/")[1] for n in names if n.startswith("programs/")} ^ listed:
            problems.append(f"{name}: {case} stands only in one of it and its CMakeLists.txt")
    return names


def check_counterparts():
    name = "docs/test_counterparts.md"
    there = test_names()
    for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
        for test in re.findall(r"`(\w+/\w+)`", line):
            if test not in there:
                problems.append(f"{name}:{number}: there is no test {test}")


def check_awaitables():
    """P5: what can be awaited says whether it is a checkpoint, and stands in the table of a test."""
    check_awaitables_of(tracked("runtime/include/troupe/*.hpp"), "tests/*awaitables_test.cpp")
    for area in sorted(p.name for p in (ROOT / "actors/include/troupe").iterdir()):
        check_awaitables_of(tracked(f"actors/include/troupe/{area}/*.hpp"),
                            f"tests/{area}/*awaitables_test.cpp")


def check_awaitables_of(headers, tables):
    table = "".join((ROOT / p).read_text() for p in tracked(tables))
    for name in headers:
        if "/detail/" in name:
            continue
        # without what is in a namespace of its own: detail, and what a header needs for itself
        text = re.sub(r"namespace (?!troupe)(\w+) \{.*?\n\} // namespace \1", "",
                      (ROOT / name).read_text(), flags=re.S)
        # a comment and the declarations up to the next blank line
        for comment, declarations in re.findall(r"((?:^ *///.*\n)+)((?:^ *(?!///)\S.*\n)+)", text, re.M):
            # of all overloads; not what is defined with `= 0` only in a derived class
            for function in set(re.findall(
                    r"^ *(?:template.*|requires.*|inline |static |\[\[nodiscard\]\] |virtual |friend )*"
                    r"(?:auto|task<[^;{}()]*>) (\w+)\((?!.*override)", declarations, re.M)):
                about = " ".join(comment.replace("///", " ").split())
                awaited = re.search(r"^ *(?:.* )?task<[^;{}()]*> " + function + r"\(", declarations,
                                    re.M) or "[[nodiscard]]" in declarations
                if not awaited or function in NOT_AWAITED:
                    continue
                if not re.search(r"\bcheckpoint", about, re.I):
                    problems.append(f"{name}: {function} does not say whether it is a checkpoint")
                if not re.search(r'"(\w+::)?' + function + r'["( ]', table):
                    problems.append(f"{name}: {function} is in no table of {tables}")


def check_headers_alone():
    names = {name.split("/include/")[1]: name for name in tracked("*/include/*.hpp")}
    # What a header includes before all else compiles alone there.
    first = re.compile(r"(?://.*\n|\s)*#pragma once\s+(?://.*\n|\s)*#include <([^>]+)>")
    shown = {m[1] for name in names.values() if (m := first.match((ROOT / name).read_text()))}

    def alone(name):
        done = subprocess.run(["g++", "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++", "-",
                               "-Iruntime/include", "-Iactors/include", "-Ibuild/dev/runtime/include"],
                              cwd=ROOT, capture_output=True, text=True,
                              input=f"#include <{name.split('/include/')[1]}>\n")
        return f"{name}: does not compile alone:\n{done.stderr[:2000]}" if done.returncode else None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems.extend(filter(None, pool.map(alone, (path for name, path in names.items() if name not in shown))))


def check_tidy():
    config = pathlib.Path("/usr/bin/python3-config")
    python = subprocess.run([config, "--includes"], check=True, capture_output=True,
                            text=True).stdout.split() if config.exists() else []

    # Most of the time goes to headers: several sources of a folder at once, as in a unity build.
    folders = {}
    for name in tracked("runtime/src/*.cpp", "actors/src/*.cpp"):
        folders.setdefault(os.path.dirname(name), []).append(name)
    batches = [names[i:i + 8] for names in folders.values() for i in range(0, len(names), 8)]

    # clang 14 cannot initialise aggregates by parentheses (P0960), as messages are: that alone is
    # no remark on the code, which g++ has compiled
    aggregates = re.compile(r"no matching constructor for initialization of 'std::tuple<|"
                            r"no member named 'take' in |no matching function for call to 'construct_at'")

    def tidy(batch):
        with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
            file.writelines(f'#include "{ROOT / name}"\n' for name in batch)
            file.flush()
            # flags of its own: clang does not know all of g++'s
            done = subprocess.run(["clang-tidy-14", "--quiet", "--config-file=.clang-tidy",
                                   "--checks=-bugprone-suspicious-include", file.name, "--", "-std=c++20",
                                   "-Iruntime/include", "-Iactors/include", "-Ibuild/dev/runtime/include",
                                   "-I/usr/include/postgresql", *python,
                                   "-include", "tests/support/tidy.hpp"],
                                  cwd=ROOT, capture_output=True, text=True)
        errors = [line for line in done.stdout.splitlines() if ": error: " in line]
        fine = done.returncode == 0 or (errors and all(map(aggregates.search, errors)))
        return None if fine else f"{batch[0]} and what is behind it: clang-tidy:\n{done.stdout}{done.stderr}"

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems.extend(filter(None, pool.map(tidy, batches)))


for check in (check_format, check_first_line, check_orphans, check_includes, check_words,
              check_links, check_promises, check_waiting, check_counterparts, check_awaitables,
              check_headers_alone, check_tidy):
    before = len(problems)
    began = time.monotonic()
    check()
    print(f"-- {check.__name__}: {'ok' if len(problems) == before else 'see below'},"
          f" {time.monotonic() - began:.1f} s", flush=True)
if problems:
    print("\n".join(problems))
    sys.exit(1)
