"""What keeps a page of the site readable where its lines and tables are narrow: ``site.py`` puts each page through it.

Markdown says nothing of where a line may break.  So a sign that belongs behind a formula may begin a line, a flag may
break after its hyphens, a number may leave its unit behind, and long names of tests may leave no room for prose.
"""

import html
import re

TAGS = re.compile(r"(<pre\b.*?</pre>|<code\b.*?</code>|<math\b.*?</math>|<(?:script|style)\b.*?</|<[^>]*>)", re.DOTALL)
"""What is no text of a page; a split by it gives the text at even places."""

ROLE = re.compile(r":[a-z]+:<code>~?")
"""How docstrings name what they refer to; the name is enough."""

SEVERAL = re.compile(
    r'(<code><span title="[^"]*">\w+),(</span>)(</code></td>\s*<td[^>]*>\s*)<code>\(?(.*?)\)?</code>', re.DOTALL
)
"""Of several attributes in one line of a docstring, those after the first are taken for its type."""

SIGNS = re.compile(r'([(\["]?)(<math\b[^>]*display="inline".*?</math>)([,.;:!?)\]"]*)', re.DOTALL)
UNITS = re.compile(r"(?<=\d) (?=%|(?:ms|µs|MB|GB)\b)|(?<=\d) (?=±)|(?<=±) (?=\d)")

FLAG = re.compile(r"(?<![\w-])--?[a-z]\w*")
SHELL = re.compile(r'(?<=<div class="language-sh highlight">).*?(?=</div>)', re.DOTALL)
BETWEEN_TAGS = re.compile(r"(?<=>)[^<>]+(?=<)")

CODE = re.compile(r"<code>([^<]*)</code>")
HYPHENATED = re.compile(r"[^\s<]*-[^\s<]*")
CELL = re.compile(r"<td>(.*?)</td>", re.DOTALL)
LONG = 28
"""More signs than that, and a phone has no room for a second column."""

WORDS = 14
"""More letters than that, and a cell needs width."""


def together(text):
    """In a span that no line breaks."""
    return f'<span class="together">{text}</span>'


def flags(text):
    """Text in which no flag breaks behind its hyphens."""
    return FLAG.sub(lambda flag: together(flag[0]), text)


def formula(match):
    before, math, after = match.groups()
    return together(match[0]) if before or after else math


def code(match):
    """A flag, or the name of a file, stays on one line, where it is not longer than one."""

    def whole(word):
        return together(word[0]) if len(word[0]) < LONG else word[0]

    return f"<code>{HYPHENATED.sub(whole, match[1])}</code>"


def long_code(match):
    """A long name in a cell may break behind its parts."""
    if len(match[1]) < LONG:
        return match[0]
    breaking = re.sub(r"(::|[/_,])", r"\1<wbr>", match[1])
    return f'<code class="long">{breaking}</code>'


def cell(match):
    """Whether a cell holds words, and not a number or a name."""
    inside = CODE.sub(long_code, match[1])
    letters = sum(map(str.isalpha, html.unescape(re.sub(r"<[^>]*>", "", inside))))
    return f'<td class="words">{inside}</td>' if letters > WORDS else f"<td>{inside}</td>"


def readable(content):
    """A page's content, its formulas MathML already."""
    content = ROLE.sub("<code>", SEVERAL.sub(r"\1\2, \4\3", content))
    content = SIGNS.sub(formula, CELL.sub(cell, content))
    content = SHELL.sub(lambda block: BETWEEN_TAGS.sub(lambda text: flags(text[0]), block[0]), content)
    parts = TAGS.split(content)
    parts[::2] = [flags(UNITS.sub("\N{NO-BREAK SPACE}", text)) for text in parts[::2]]
    parts[1::2] = [CODE.sub(code, part) if part.startswith("<code") else part for part in parts[1::2]]
    return "".join(parts)
