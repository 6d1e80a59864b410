"""Simple JUEL and Java-like expressions of older dialects, said again in FEEL.

Only what means exactly the same is translated: variables and their properties, literals, comparisons, and/or/not,
`empty`, arithmetic, the conditional operator, and the calls `contains`, `equals`, `size`, `isEmpty`, `startsWith`,
`endsWith`, `matches`, `toUpperCase`, `toLowerCase`, `length`. All else is refused by raising `NotSimple`.
"""

from __future__ import annotations

import re

TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<name>[^\W\d]\w*)"""
    r"""|(?P<op>==|!=|<=|>=|&&|\|\||[-+*/%<>!()?:.,\[\]]))""",
    re.VERBOSE,
)
WORDS = {"eq": "=", "==": "=", "ne": "!=", "!=": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
METHODS = {
    "contains": "contains({0}, {1})",
    "startsWith": "starts with({0}, {1})",
    "endsWith": "ends with({0}, {1})",
    "matches": 'matches({0}, "^(?:" + {1} + ")$")',
    "equals": "({0} = {1})",
    "equalsIgnoreCase": "(lower case({0}) = lower case({1}))",
    "size": "count({0})",
    "length": "string length({0})",
    "isEmpty": '({0} = null or {0} = [] or {0} = "")',
    "toUpperCase": "upper case({0})",
    "toLowerCase": "lower case({0})",
    "intValue": "{0}",
    "booleanValue": "{0}",
}
MOST_TOKENS, MOST_NESTED = 400, 40
FOREIGN = re.compile(r"[$#]\{|==|&&|\|\||\.(?:contains|equals|startsWith|endsWith|isEmpty|size)\(")


class NotSimple(ValueError):
    """The expression uses something that FEEL cannot say in the same words."""


def is_foreign(text: str) -> bool:
    """Whether a text looks like JUEL or Java rather than FEEL."""
    return bool(FOREIGN.search(re.sub(r'"[^"]*"', '""', text)))


def to_feel(text: str) -> str:
    """FEEL (without '=') that means the same as `text`; raises NotSimple naming what it stumbled over."""
    text = text.strip()
    whole = re.fullmatch(r"[$#]\{([^{}]*)\}", text, re.DOTALL)
    if whole:
        return _Parser(whole[1]).whole()
    if re.search(r"[$#]\{", text):
        parts = re.split(r"[$#]\{([^{}]*)\}", text)
        return " + ".join(
            f"string({_Parser(part).whole()})" if i % 2 else '"' + part.replace('"', '\\"') + '"' for i, part in enumerate(parts) if part
        )
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        position = 0
        text = text.strip()
        while position < len(text):
            match = TOKEN.match(text, position)
            if not match:
                raise NotSimple(f"cannot read {text[position : position + 20]!r}")
            self.tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            position = match.end()
        self.at = 0
        if len(self.tokens) > MOST_TOKENS or sum(value in ("(", "[", "?") for _, value in self.tokens) > MOST_NESTED:
            raise NotSimple("it is too long")

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at][0] != "string" and self.peek() in wanted:
            self.at += 1
            return True
        return False

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            raise NotSimple(f"expected {wanted!r} before {self.peek()!r}")

    def whole(self) -> str:
        result = self.choice()
        if self.at < len(self.tokens):
            raise NotSimple(f"cannot say {self.peek()!r} in FEEL")
        return result

    def choice(self) -> str:
        condition = self.either()
        if not self.take("?"):
            return condition
        then = self.choice()
        self.expect(":")
        return f"if {condition} then {then} else {self.choice()}"

    def either(self) -> str:
        result = self.both()
        while self.take("||", "or"):
            result = f"{result} or {self.both()}"
        return result

    def both(self) -> str:
        result = self.comparison()
        while self.take("&&", "and"):
            result = f"{result} and {self.comparison()}"
        return result

    def comparison(self) -> str:
        left = self.sum()
        word = self.peek()
        return f"{left} {WORDS[word]} {self.sum()}" if word in WORDS and self.take(word) else left

    def sum(self) -> str:
        result = self.product()
        while (op := self.peek()) in ("+", "-") and self.take(op):
            result = f"{result} {op} {self.product()}"
        return result

    def product(self) -> str:
        result = self.unary()
        while (op := self.peek()) in ("*", "/", "%", "mod") and self.take(op):
            right = self.unary()
            result = f"modulo({result}, {right})" if op in ("%", "mod") else f"{result} {op} {right}"
        return result

    def unary(self) -> str:
        if self.take("!", "not"):
            return f"not({self.unary()})"
        if self.take("-"):
            return f"-{self.unary()}"
        if self.take("empty"):
            return METHODS["isEmpty"].format(self.unary())
        return self.postfix(self.primary())

    def primary(self) -> str:
        if self.take("("):
            inner = self.choice()
            self.expect(")")
            return f"({inner})"
        if self.at >= len(self.tokens):
            raise NotSimple("it ends too early")
        kind, value = self.tokens[self.at]
        self.at += 1
        if kind == "string":
            inner = value[1:-1]
            return f'"{inner}"' if value[0] == '"' else '"' + inner.replace("\\'", "'").replace('"', '\\"') + '"'
        if kind == "op" or (kind == "name" and self.peek() == "("):
            raise NotSimple(f"cannot say {value!r} in FEEL")
        return value

    def postfix(self, target: str) -> str:
        while True:
            if self.take("."):
                target = self.member(target)
            elif self.take("["):
                target = self.item(target)
            else:
                return target

    def member(self, target: str) -> str:
        kind, name = self.tokens[self.at] if self.at < len(self.tokens) else ("", "")
        if kind != "name":
            raise NotSimple(f"expected a name after {target!r}")
        self.at += 1
        if not self.take("("):
            return f"{target}.{name}"
        arguments: list[str] = []
        while not self.take(")"):
            arguments.append(self.choice())
            self.take(",")
        pattern = METHODS.get(name)
        if pattern is None or len(set(re.findall(r"\{(\d)\}", pattern))) != len(arguments) + 1:
            raise NotSimple(f"cannot say the call {name}() in FEEL")
        return pattern.format(target, *arguments)

    def item(self, target: str) -> str:
        index = self.choice()
        self.expect("]")
        if index.startswith('"'):
            return f"{target}.{index[1:-1]}"
        if index.isdigit():
            return f"{target}[{int(index) + 1}]"  # FEEL counts from one
        raise NotSimple("an index must be a number or a name")
