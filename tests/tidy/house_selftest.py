#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that each rule of house.py fires: a small good house, broken in one place at a time."""
import pathlib
import sys
import tempfile

import house

C = "/* SPDX-License-Identifier: Apache-2.0 */\n"
ROOMS = """
strake_room(base common/base PkgConfig::isal)
strake_room(net common/net base)
strake_room(export target/front/export base)
strake_room(nbd target/front/nbd export base)
strake_room(front target/front nbd export
  net base)
strake_room(replica_front replica/front net base)
"""
LONG = "    step();\n" * 60
GOOD = {
    "CMakeLists.txt": ROOMS,
    "common/base/bytes.h": C,
    "common/base/buf.c": C + "void buf_get(void)\n{\n    calloc(1, 1);\n}\n",
    "common/base/log.c": C + "#include <time.h>\nvoid log_info(void)\n{\n    write(1, 0, 0);\n}\n",
    "common/base/log.h": C,
    "common/base/pool.c": C + '#include "common/base/bytes.h"\nvoid pool_init(void)\n{\n'
                          "    calloc(1, 1);\n}\n",
    "common/net/stream.h": C,
    "target/front/export/session.h": C,
    "target/front/front.h": C,
    "target/front/front.c": C + '#include "target/front/front.h"\n#include "common/base/log.h"\n'
                            '#include "target/front/nbd/nbd.h"\n#include <unistd.h>\n'
                            "void front_run(void)\n{\n    read(0, 0, 0);\n    free(0);\n}\n",
    "target/front/nbd/nbd.h": C + '#include "target/front/nbd/wire.h"\n'
                              '#include "target/front/export/session.h"\n',
    "target/front/nbd/wire.h": C,
    "target/front/nbd/wire.c": C + '#include "target/front/nbd/wire.h"\n'
                               "void nbd_decode(void)\n{\n    /* system(1) */ say(\"gets(x)\");\n"
                               "}\n\nvoid nbd_long(void)\n{\n" + LONG + "}\n",
    "target/main.c": C + '#include "target/front/front.h"\n#include "replica/front/replica.h"\n',
    "replica/front/replica.h": C,
    "tests/unit/target/front/nbd/wire_test.c": C + '#include "target/front/nbd/wire.h"\n'
                                               "void t(void)\n{\n    system(0);\n}\n",
    "tests/fuzz/nbd_session_fuzz.c": C,
    "tests/run.sh": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
}

WIRE = GOOD["target/front/nbd/wire.c"]
NEST = "".join("    " * (n + 1) + f"while (x{n})\n" for n in range(5))

# (what is shown, rule, where it fires, what is written over the good house)
BREACHES = [
    ("a stray file at the top", "top", "journal:1", {"journal": ""}),
    ("upward include", "arrow", "common/base/pool.c:2",
     {"common/base/pool.c": C + '#include "common/net/stream.h"\n'}),
    ("include without an arrow", "arrow", "target/front/nbd/nbd.h:2",
     {"target/front/nbd/nbd.h": C + '#include "common/net/stream.h"\n'}),
    ("another room's private header", "door", "target/front/front.c:2",
     {"target/front/front.c": C + '#include "target/front/nbd/wire.h"\n'}),
    ("an executable past the door", "door", "target/main.c:2",
     {"target/main.c": C + '#include "target/front/nbd/wire.h"\n'}),
    ("include not from the root", "include", "target/main.c:2",
     {"target/main.c": C + '#include "front.h"\n'}),
    ("include of nothing", "include", "target/main.c:2",
     {"target/main.c": C + '#include "target/nothing.h"\n'}),
    ("impure system header", "pure", "target/front/nbd/wire.c:2",
     {"target/front/nbd/wire.c": C + "#include <sys/socket.h>\n"}),
    ("log in a pure room", "pure", "common/base/pool.c:2",
     {"common/base/pool.c": C + '#include "common/base/log.h"\n'}),
    ("clock in a pure room", "pure", "target/front/nbd/wire.c:4",
     {"target/front/nbd/wire.c": C + "void f(void)\n{\n    x = time(0);\n}\n"}),
    ("print in a pure room", "pure", "target/front/nbd/wire.c:4",
     {"target/front/nbd/wire.c": C + "void f(void)\n{\n    printf(0);\n}\n"}),
    ("heap outside init", "pure", "target/front/nbd/wire.c:4",
     {"target/front/nbd/wire.c": C + "void f(void)\n{\n    p = malloc(1);\n}\n"}),
    ("long file", "size", "target/main.c:601", {"target/main.c": C + "\n" * 600}),
    ("long header", "size", "target/front/front.h:201", {"target/front/front.h": C + "\n" * 200}),
    ("long line", "size", "target/main.c:2", {"target/main.c": C + "/" * 101 + "\n"}),
    ("long function", "size", "target/main.c:3",
     {"target/main.c": C + "void f(void)\n{\n" + "    step();\n" * 69 + "}\n"}),
    ("deep nesting without braces", "size", "target/main.c:3",
     {"target/main.c": C + "void f(void)\n{\n" + NEST + "step();\n}\n"}),
    ("deep nesting with braces", "size", "target/main.c:3",
     {"target/main.c": C + "void f(void)\n{\n" + "if (a) {\n" * 5 + "}\n    " * 5 + "\n}\n"}),
    ("deep nesting by list macro and switch", "size", "target/main.c:3",
     {"target/main.c": C + "void f(void)\n{\n    LIST_FOR_EACH(n, h) {\n  switch (n) {\n case 1:\n"
      "  if (a) {\n  do {\n  if (b)\n  x();\n  } while (c);\n  }\n  }\n    }\n}\n"}),
    ("banned call", "banned", "target/main.c:4",
     {"target/main.c": C + "void f(void)\n{\n    strcpy(a, b);\n}\n"}),
    ("system outside tests", "banned", "target/main.c:4",
     {"target/main.c": C + "void f(void)\n{\n    system(a);\n}\n"}),
    ("source without licence", "licence", "target/main.c:1", {"target/main.c": "int x;\n"}),
    ("empty source", "licence", "target/main.c:1", {"target/main.c": ""}),
    ("script without licence", "licence", "tests/run:1", {"tests/run": "#!/bin/sh\n"}),
    ("source without a test", "test", "target/front/nbd/other.c:1",
     {"target/front/nbd/other.c": WIRE}),
    ("decoder without a fuzz target", "fuzz", "target/front/nbd/wire.c:4",
     {"tests/fuzz/nbd_session_fuzz.c": None}),
    ("headers in a ring", "knot", "target/front/nbd/nbd.h:2",
     {"target/front/nbd/wire.h": C + '#include "target/front/nbd/nbd.h"\n'}),
]


def breaches_of(changes):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {**GOOD, **changes}.items():
            if text is None:
                continue
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return house.House(root).check()


def main():
    failed = 0
    found = breaches_of({})
    if found:
        failed += 1
        print(f"the good house is found fault with: {found}")
    for what, rule, place, changes in BREACHES:
        found = [(f"{path}:{line}", got) for path, line, got, _ in breaches_of(changes)]
        if (place, rule) not in found:
            failed += 1
            print(f"{what}: no {place}: {rule} but {found}")
    print(f"{len(BREACHES) + 1 - failed} of {len(BREACHES) + 1} as expected")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
