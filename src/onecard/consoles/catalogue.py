"""The message catalogues: finds what our code says, checks that all of it is translated, and compiles `.po` to `.mo`.

A message written in Chinese (models and services, the domain's words) needs English; any other (pages) needs Chinese; so do the
strings of Unfold, which ships no Chinese of its own. Needs neither gettext's tools nor a database:

    python -m onecard.consoles.catalogue missing|compile|check
"""

import ast
import importlib.util
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1]
LOCALE = Path(__file__).parent / "locale"
LANGUAGES = ("zh_Hans", "en")
_CJK = re.compile(r"[\u3400-\u9fff]")
_FIELD = re.compile(r"%\((\w+)\)[sd]|%[sd]")
_SINGULAR = {"_", "gettext", "gettext_lazy", "gettext_noop"}
_PLURAL = {"ngettext", "ngettext_lazy"}
_TAG = re.compile(r"""\{%-?\s*(?:trans|translate)\s+("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_INNER = re.compile(r"""\b_\(("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\)""")
_BLOCK = re.compile(r"\{%\s*blocktrans(?:late)?\b([^%]*)%\}(.*?)\{%\s*endblocktrans(?:late)?\s*%\}", re.DOTALL)
_UNUSED = frozenset({"contrib", "unfold_crispy"})
"""Parts of Unfold that are not installed here."""
_DJANGO_PARTS = ("conf", "contrib/admin", "contrib/auth", "contrib/contenttypes", "contrib/sessions")
"""Parts of Django whose own Chinese is loaded here."""
_PLURAL_TAG = re.compile(r"\{%\s*plural\s*%\}")
_VARIABLE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True, order=True)
class Message:
    """A message of the source, and its plural form where it has one."""

    text: str
    plural: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message of a catalogue with its translations (as many as the language has plural forms, else one)."""

    message: Message
    translations: tuple[str, ...]
    fuzzy: bool = False


def language_of(message: Message) -> str:
    """The catalogue a message needs to stand in."""
    return "en" if _CJK.search(message.text) else "zh_Hans"


def messages_of_code(path: Path) -> Iterator[Message]:
    """The messages of a Python file: calls of gettext's functions with literal text, and the names of apps."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if path.name == "apps.py" and isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "verbose_name":
            yield Message(str(ast.literal_eval(node.value)) if isinstance(node.value, ast.Constant) else "")  # see centre.apps
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        texts = [str(arg.value) for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if name in _SINGULAR and texts and texts[0]:
            yield Message(texts[0])
        elif name in _PLURAL and len(texts) >= 2:
            yield Message(texts[0], texts[1])


def messages_of_template(path: Path) -> Iterator[Message]:
    """The messages of a Django template."""
    source = path.read_text("utf-8")
    for match in (*_TAG.finditer(source), *_INNER.finditer(source)):
        yield Message(ast.literal_eval(match[1]).replace("%", "%%"))  # as Django's template tags ask for it
    for match in _BLOCK.finditer(source):
        trimmed = re.search(r"\btrimmed\b", match[1]) is not None
        forms = [_block_text(form, trimmed=trimmed) for form in _PLURAL_TAG.split(match[2])]
        yield Message(*forms)


def _block_text(text: str, *, trimmed: bool) -> str:
    text = _VARIABLE.sub(r"%(\1)s", text.replace("%", "%%"))
    return " ".join(line.strip() for line in text.splitlines() if line.strip()) if trimmed else text


def messages_below(root: Path, *, without: frozenset[str] = frozenset()) -> set[Message]:
    """All messages of a package: its code and its templates, but for the folders left out."""
    found: set[Message] = set()
    for path in root.rglob("*"):
        if without & set(path.relative_to(root).parts):
            continue
        if path.suffix == ".py" and not path.stem.endswith(("_pb2", "_pb2_grpc")) and "migrations" not in path.parts:
            found.update(messages_of_code(path))
        elif path.suffix == ".html":
            found.update(messages_of_template(path))
    return found - {Message("")}


def foreign_messages() -> set[Message]:
    """What Unfold says and Django's own Chinese does not cover."""
    known: set[str] = set()
    for part in _DJANGO_PARTS:
        catalogue = _package("django") / part / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
        known.update(entry.message.text for entry in read_po(catalogue) if any(entry.translations))
    said = messages_below(_package("unfold"), without=_UNUSED)
    return {message for message in said if message.text not in known and re.search(r"[A-Za-z]{2}", message.text)}


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None, name
    return Path(spec.origin).parent


def read_po(path: Path) -> list[Entry]:
    """The entries of a `.po` file, without its header and obsolete entries. Contexts are not used here and not read."""
    entries = []
    for block in re.split(r"\n\s*\n", path.read_text("utf-8")):
        fields: dict[str, str] = {}
        key, fuzzy = "", False
        for line in block.splitlines():
            if line.startswith("#"):
                fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
                continue
            match = re.fullmatch(r'(msg\w+(?:\[\d\])?)?\s*("(?:[^"\\]|\\.)*")\s*', line)
            if match:
                key = match[1] or key
                fields[key] = fields.get(key, "") + ast.literal_eval(match[2])
        if fields.get("msgid") and "msgctxt" not in fields:
            translations = tuple(text for name, text in sorted(fields.items()) if name.startswith("msgstr"))
            entries.append(Entry(Message(fields["msgid"], fields.get("msgid_plural", "")), translations, fuzzy))
    return entries


_HEADER = (
    "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\nLanguage: {language}\nPlural-Forms: {plurals}\n"
)
_PLURALS = {"zh_Hans": "nplurals=1; plural=0;", "en": "nplurals=2; plural=(n != 1);"}


def build_mo(entries: list[Entry], *, language: str) -> bytes:
    """The bytes of a `.mo` file: the format of GNU gettext, little endian, without a hash table."""
    pairs = {"": _HEADER.format(language=language, plurals=_PLURALS[language])}
    for entry in entries:
        key = f"{entry.message.text}\0{entry.message.plural}" if entry.message.plural else entry.message.text
        pairs[key] = "\0".join(entry.translations)
    ids, texts, offsets = b"", b"", []
    for key in sorted(pairs, key=lambda text: text.encode()):
        key_bytes, text_bytes = key.encode(), pairs[key].encode()
        offsets.append((len(key_bytes), len(ids), len(text_bytes), len(texts)))
        ids, texts = ids + key_bytes + b"\0", texts + text_bytes + b"\0"
    count, head = len(offsets), 28
    ids_at = head + 16 * count
    texts_at = ids_at + len(ids)
    originals = b"".join(struct.pack("<II", size, ids_at + at) for size, at, _, _ in offsets)
    translated = b"".join(struct.pack("<II", size, texts_at + at) for _, _, size, at in offsets)
    return struct.pack("<7I", 0x950412DE, 0, count, head, head + 8 * count, 0, ids_at) + originals + translated + ids + texts


def po_path(language: str) -> Path:
    """Where a language's catalogue stands."""
    return LOCALE / language / "LC_MESSAGES" / "django.po"


def missing() -> dict[str, list[Message]]:
    """Messages without an entry, by language."""
    wanted = messages_below(SOURCE) | foreign_messages()
    return {
        language: sorted({m for m in wanted if language_of(m) == language} - {e.message for e in read_po(po_path(language))})
        for language in LANGUAGES
    }


def problems() -> Iterator[str]:
    """Everything that is wrong with the catalogues, one line each."""
    for language, messages in missing().items():
        yield from (f"{language}: no translation of {message.text!r}" for message in messages)
    wanted = messages_below(SOURCE) | foreign_messages()
    for language in LANGUAGES:
        entries = read_po(po_path(language))
        for entry in entries:
            text = entry.message.text
            if entry.fuzzy:
                yield f"{language}: fuzzy: {text!r}"
            if not all(entry.translations):
                yield f"{language}: empty: {text!r}"
            if any(sorted(_FIELD.findall(translation)) != sorted(_FIELD.findall(text)) for translation in entry.translations):
                yield f"{language}: other placeholders than in {text!r}"
            if entry.message not in wanted:
                yield f"{language}: nobody says {text!r} any more"
        compiled = po_path(language).with_suffix(".mo")
        if not compiled.exists() or compiled.read_bytes() != build_mo(entries, language=language):
            yield f"{language}: {compiled.name} is stale: run `python -m onecard.consoles.catalogue compile`"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main(command: str) -> int:
    """Run one command; the exit code is 1 when `check` finds something."""
    if command == "compile":
        for language in LANGUAGES:
            path = po_path(language)
            path.with_suffix(".mo").write_bytes(build_mo(read_po(path), language=language))
    elif command == "missing":
        for language, messages in missing().items():
            print(f"# {language}")
            for message in messages:
                plural = f"msgid_plural {_quote(message.plural)}\n" if message.plural else ""
                forms = "\n".join(f'msgstr[{n}] ""' for n in range(2 if language == "en" else 1)) if plural else 'msgstr ""'
                print(f"msgid {_quote(message.text)}\n{plural}{forms}\n")
    else:
        found = list(problems())
        print("\n".join(found) or "translations: complete")
        return 1 if found else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "check"))
