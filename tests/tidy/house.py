#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources against the rules of the house and prints each breach as path:line: rule: what.

The rules: arrows (who may include whom, from the strake_room lines of CMakeLists.txt), doors
(which header outsiders may include), purity (rooms that touch no descriptor, clock or heap), sizes,
banned calls, the licence line, a unit test for each source file of a pure room and a fuzz target
for each room that decodes, no knots among the files of a room, and nothing at the top that is not
the project's.

Usage: house.py [ROOT]
"""
import pathlib
import re
import sys

from csource import Source

TOPS = ("common", "target", "replica", "tools", "tests")
TOP_FILES = ("README.md", "ARCHITECTURE.md", "CMakeLists.txt", "CMakePresets.json", "LICENSE")
SHELVES = {"base", "wire", "net", "export"}  # every header of theirs is public
DOORS = {  # where the door is not FOLDER/LAST_NAME_OF_FOLDER.h
    "replica_front": "replica/front/replica.h",
    "target_config": "target/config.h",
    "replica_config": "replica/config.h",
}
PURE = {"base", "wire", "digest", "export", "nbd", "iscsi", "scsi", "replication", "service"}
NOT_PURE_FILES = {"common/base/log.c", "common/base/log.h"}
MAY_PRINT = {"common/base/assert.c"}  # the last words of a process
MAY_ALLOCATE = {"common/base/buf.c", "common/base/pool.c", "common/base/tx.c"}

IMPURE_INCLUDES = {
    "ev.h", "liburing.h", "openssl/ssl.h", "sys/socket.h", "unistd.h", "time.h", "sys/time.h",
    "pthread.h", "threads.h", "fcntl.h", "common/base/log.h",
}
IMPURE_CALLS = {
    "time", "clock_gettime", "gettimeofday", "random", "rand", "srand", "getrandom", "read",
    "write", "recv", "send", "open", "close", "log_warn", "log_info", "log_debug",
}
PRINT_CALLS = {"printf", "fprintf", "vfprintf", "puts", "fputs", "fopen", "fread", "fwrite"}
HEAP_CALLS = {
    "malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "free", "strdup", "strndup",
    "asprintf", "vasprintf",
}
HEAP_FUNCTION = re.compile(r"_(init|new|release|free)$")
BANNED_CALLS = {
    "strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "alloca", "atoi", "rand", "system",
}
TESTS_MAY_CALL = {"system"}

FILE_LINES_MAX = 600
HEADER_LINES_MAX = 200
COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
NESTING_MAX = 4
TRIVIAL_LINES_MAX = 40  # a shorter source file of a pure room may go without a test of its own

LICENCE = "SPDX-License-Identifier: Apache-2.0"
ROOM_LINE = re.compile(r"^strake_room\(([^)]*)\)", re.MULTILINE)


class House:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.breaches = []
        self.rooms = {}  # name -> (folder, names of the rooms it may include)
        self.room_of_folder = {}
        self.sources = {}  # path -> Source, of .c and .h
        self.scripts = []

    def breach(self, path, line, rule, what):
        self.breaches.append((str(path), line, rule, what))

    def read(self):
        text = (self.root / "CMakeLists.txt").read_text()
        for match in ROOM_LINE.finditer(text):
            name, folder, *links = match.group(1).split()
            self.rooms[name] = (folder, links)
            self.room_of_folder[folder] = name
        for top in TOPS:
            for path in sorted((self.root / top).rglob("*")):
                if not path.is_file():
                    continue
                name = path.relative_to(self.root).as_posix()
                if path.suffix in (".c", ".h"):
                    self.sources[name] = Source(path.read_text())
                elif path.suffix in (".sh", ".py") or self.is_script(path):
                    self.scripts.append(name)

    @staticmethod
    def is_script(path):
        with path.open("rb") as file:
            return file.read(2) == b"#!"

    def room_of(self, name):
        """The room whose folder the file lies in, or None for tests and executables."""
        folder, _, file = name.rpartition("/")
        return None if file == "main.c" else self.room_of_folder.get(folder)

    def door_of(self, room):
        folder = self.rooms[room][0]
        return DOORS.get(room, f"{folder}/{folder.rpartition('/')[2]}.h")

    def is_pure(self, name):
        return self.room_of(name) in PURE and name not in NOT_PURE_FILES

    def check_top(self):
        for path in sorted(self.root.iterdir()):
            name = path.name
            if name not in TOPS + TOP_FILES and not re.match(r"\.|build($|-)", name):
                self.breach(name, 1, "top", "is no part of the project")

    # Arrows and doors.

    def check_includes(self):
        for name, source in self.sources.items():
            for line, path in source.includes:
                self.check_include(name, line, path)

    def check_include(self, name, line, path):
        if "/" not in path or path.startswith("."):
            self.breach(name, line, "include", f'"{path}" is not written from the root')
            return
        if path not in self.sources:
            self.breach(name, line, "include", f'there is no "{path}"')
            return
        here, there = self.room_of(name), self.room_of(path)
        if name.startswith("tests/") or (here and here == there):
            return
        if there is None:
            if path.rpartition("/")[0] != name.rpartition("/")[0]:
                self.breach(name, line, "arrow", f'"{path}" is in no room')
            return
        if here and there not in self.rooms[here][1]:
            self.breach(name, line, "arrow", f"{here} may not call {there} (CMakeLists.txt)")
        door = self.door_of(there)
        if there not in SHELVES and path != door:
            self.breach(name, line, "door", f'"{path}" is private to {there}; its door is "{door}"')

    # Purity.

    def check_purity(self):
        for name, source in self.sources.items():
            if not self.is_pure(name):
                continue
            for line, path in source.includes + source.system_includes:
                if path in IMPURE_INCLUDES:
                    self.breach(name, line, "pure", f"a pure room may not include {path}")
            for function in source.functions:
                self.check_pure_function(name, function)

    def check_pure_function(self, name, function):
        impure = IMPURE_CALLS if name in MAY_PRINT else IMPURE_CALLS | PRINT_CALLS
        heap = name not in MAY_ALLOCATE and not HEAP_FUNCTION.search(function.name)
        for line, call in function.calls:
            if call in impure:
                self.breach(name, line, "pure", f"a pure room may not call {call}()")
            if heap and call in HEAP_CALLS:
                self.breach(name, line, "pure", f"{call}() outside *_init, _new, _release, _free")

    # Sizes, banned calls, the licence.

    def check_sizes(self):
        for name, source in self.sources.items():
            most = HEADER_LINES_MAX if name.endswith(".h") else FILE_LINES_MAX
            if len(source.lines) > most:
                self.breach(name, most + 1, "size", f"{len(source.lines)} lines; {most} at most")
            for line, text in enumerate(source.lines, 1):
                if len(text) > COLUMNS_MAX:
                    self.breach(name, line, "size", f"{len(text)} columns; {COLUMNS_MAX} at most")
            for function in source.functions:
                self.check_function_size(name, function)

    def check_function_size(self, name, function):
        if function.line_count > FUNCTION_LINES_MAX:
            self.breach(name, function.line, "size", f"{function.name}: {function.line_count} lines"
                        f"; {FUNCTION_LINES_MAX} at most")
        if function.nesting > NESTING_MAX:
            self.breach(name, function.line, "size", f"{function.name}: nested {function.nesting}"
                        f" deep; {NESTING_MAX} at most")

    def check_banned(self):
        for name, source in self.sources.items():
            banned = BANNED_CALLS - TESTS_MAY_CALL if name.startswith("tests/") else BANNED_CALLS
            for line, call in source.calls:
                if call in banned:
                    self.breach(name, line, "banned", f"{call}()")

    def check_licence(self):
        for name, source in self.sources.items():
            if not source.lines or source.lines[0] != f"/* {LICENCE} */":
                self.breach(name, 1, "licence", f"the first line is not /* {LICENCE} */")
        for name in self.scripts:
            head = (self.root / name).read_text(errors="replace").splitlines()[:2]
            if f"# {LICENCE}" not in head:
                self.breach(name, 1, "licence", f"# {LICENCE} is not in the first two lines")

    # Tests and fuzz targets.

    def check_tests(self):
        for name, source in self.sources.items():
            if not self.is_pure(name) or not name.endswith(".c"):
                continue
            if len(source.lines) <= TRIVIAL_LINES_MAX or not source.functions:
                continue
            folder, _, file = name.rpartition("/")
            stem = file[:-2]
            if not list((self.root / "tests/unit" / folder).glob(f"{stem}*_test.c")):
                self.breach(name, 1, "test", f"there is no tests/unit/{folder}/{stem}_test.c")

    def check_fuzz(self):
        seen = set()
        for name, source in self.sources.items():
            room = self.room_of(name)
            decoder = next((f for f in source.functions if f.name.endswith("_decode")), None)
            if not room or not decoder or room in seen:
                continue
            seen.add(room)
            if not list((self.root / "tests/fuzz").glob(f"{room}_*_fuzz.c")):
                self.breach(name, decoder.line, "fuzz", f"{room} decodes ({decoder.name}) and there"
                            f" is no tests/fuzz/{room}_*_fuzz.c")

    # Knots.

    def check_knots(self):
        graph = {}
        lines = {}
        for name, source in self.sources.items():
            graph[name] = []
            for line, path in source.includes:
                if path in self.sources and self.room_of(path) == self.room_of(name):
                    graph[name].append(path)
                    lines[name, path] = line
        for cycle in cycles(graph):
            what = " > ".join(path.rpartition("/")[2] for path in cycle)
            self.breach(cycle[0], lines[cycle[0], cycle[1]], "knot", f"headers in a ring: {what}")

    def check(self):
        self.read()
        self.check_top()
        self.check_includes()
        self.check_purity()
        self.check_sizes()
        self.check_banned()
        self.check_licence()
        self.check_tests()
        self.check_fuzz()
        self.check_knots()
        return sorted(self.breaches)


def cycles(graph):
    """One ring, first node repeated at the end, for each edge that closes one in a depth search."""
    found, done = [], set()

    def visit(node, path):
        if node in path:
            found.append(path[path.index(node):] + [node])
            return
        if node in done:
            return
        for successor in graph[node]:
            visit(successor, path + [node])
        done.add(node)

    for node in sorted(graph):
        visit(node, [])
    return found


def main():
    default = pathlib.Path(__file__).resolve().parents[2]
    root = sys.argv[1] if len(sys.argv) > 1 else default
    breaches = House(root).check()
    for path, line, rule, what in breaches:
        print(f"{path}:{line}: {rule}: {what}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
