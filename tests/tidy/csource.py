# SPDX-License-Identifier: Apache-2.0
"""As much of C as the rules of the house need: includes, functions, their calls and nesting.

It leans on the house's own format (.clang-format): a function's braces stand alone in column one.
"""
import re

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
BLANKED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
CALL = re.compile(r"(?<![\w.>])([A-Za-z_]\w*)\s*\(")
TOKEN = re.compile(r"[A-Za-z_]\w*|[{}();:?]")
CONTROL = {"if", "for", "while", "switch"}
NOT_CALLS = CONTROL | {"return", "sizeof", "do", "else", "case", "_Alignof", "__attribute__"}


def blank(match):
    """Spaces for the text of comments and literals, so that lines and columns stay."""
    return re.sub(r"[^\n]", " ", match.group(0))


def is_loop_macro(token):
    return "FOR_EACH" in token


class Nesting:
    """The deepest statement of a function's body: each control statement is one level."""

    def __init__(self, text):
        self.tokens = TOKEN.findall(text)
        self.at = 0
        self.deepest = 0
        while self.at < len(self.tokens):
            self.statement(0)

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def skip(self, opening, closing):
        """From an opening token to behind the one that closes it."""
        depth = 0
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            depth += (token == opening) - (token == closing)
            if depth == 0:
                return

    def block(self, depth):
        self.at += 1
        while self.peek() not in ("}", ""):
            self.statement(depth)
        self.at += 1

    def under(self, depth):
        """The statement that a control statement governs; its braces are no further level."""
        self.deepest = max(self.deepest, depth)
        if self.peek() == "{":
            self.block(depth)
        else:
            self.statement(depth)

    def statement(self, depth):
        token = self.peek()
        if token == "{":
            self.under(depth + 1)
        elif token in CONTROL or is_loop_macro(token):
            self.control(token, depth)
        elif token == "do":
            self.at += 1
            self.under(depth + 1)
            self.simple()
        elif token in ("case", "default"):
            while self.peek() not in (":", ""):
                self.at += 1
            self.at += 1
        else:
            self.simple()

    def control(self, token, depth):
        self.at += 1
        self.skip("(", ")")
        self.under(depth + 1)
        if token == "if" and self.peek() == "else":
            self.at += 1
            if self.peek() == "if":
                self.statement(depth)
            else:
                self.under(depth + 1)

    def simple(self):
        while self.at < len(self.tokens):
            token = self.peek()
            if token == "{":
                self.skip("{", "}")
            elif token == "(":
                self.skip("(", ")")
            elif token == "}":
                return  # not ours: the end of the block, behind a label or a macro
            else:
                self.at += 1
                if token in (";", ":"):
                    return


class Function:
    def __init__(self, name, line, line_count, body):
        self.name = name
        self.line = line
        self.line_count = line_count  # from its opening to its closing brace
        self.calls = calls_of(body, line)
        self.nesting = Nesting(body).deepest


def calls_of(text, first_line):
    found = []
    for offset, line in enumerate(text.split("\n")):
        for match in CALL.finditer(line):
            if match.group(1) not in NOT_CALLS:
                found.append((first_line + offset, match.group(1)))
    return found


def function_name(signature):
    """The name before the first parenthesis that is no attribute's; START_TEST(x) is x."""
    signature = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", signature, flags=re.DOTALL)
    match = re.search(r"([A-Za-z_]\w*)\s*\(\s*(\w*)", signature)
    if not match:
        return None
    return match.group(2) if match.group(1) == "START_TEST" else match.group(1)


class Source:
    def __init__(self, text):
        self.lines = text.splitlines()
        self.includes = []  # (line, path) of "path"
        self.system_includes = []  # (line, path) of <path>
        for number, line in enumerate(self.lines, 1):
            match = INCLUDE.match(line)
            if match and match.group(1):
                self.includes.append((number, match.group(1)))
            elif match:
                self.system_includes.append((number, match.group(2)))
        code = BLANKED.sub(blank, text)
        self.calls = calls_of(code, 1)
        self.functions = list(self.find_functions(self.without_directives(code).split("\n")))

    @staticmethod
    def without_directives(code):
        lines, continued = [], False
        for line in code.split("\n"):
            directive = continued or line.lstrip().startswith("#")
            continued = directive and line.endswith("\\")
            lines.append("" if directive else line)
        return "\n".join(lines)

    @staticmethod
    def find_functions(lines):
        signature, opened = "", None
        for index, line in enumerate(lines):
            if opened is None and line == "{" and ")" in signature:
                opened = index
                name = function_name(signature)
            elif opened is not None and line.startswith("}"):
                body = "\n".join(lines[opened + 1:index])
                if name:
                    yield Function(name, opened + 1, index - opened + 1, "\n" + body)
                signature, opened = "", None
            elif opened is None:
                ends = line.rstrip().endswith((";", "}")) or not line.strip()
                signature = "" if ends else signature + "\n" + line
