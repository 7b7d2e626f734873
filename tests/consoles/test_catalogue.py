"""The message catalogues: complete, compiled, and readable by gettext itself."""

import gettext
import io
from pathlib import Path

from onecard.consoles import catalogue
from onecard.consoles.catalogue import Entry, Message


def test_nothing_of_ours_or_of_unfold_is_left_untranslated() -> None:
    assert list(catalogue.problems()) == []


def test_a_compiled_catalogue_is_read_by_gettext() -> None:
    entries = [Entry(Message("Unit"), ("接入单位",)), Entry(Message("%(n)d day", "%(n)d days"), ("%(n)d 天",))]
    read = gettext.GNUTranslations(io.BytesIO(catalogue.build_mo(entries, language="zh_Hans")))
    assert read.gettext("Unit") == "接入单位"
    assert read.ngettext("%(n)d day", "%(n)d days", 5) == "%(n)d 天"
    assert read.gettext("unknown") == "unknown"


def test_messages_are_found_in_code_and_templates(tmp_path: Path) -> None:
    code, template = tmp_path / "a.py", tmp_path / "a.html"
    code.write_text('x = _("One")\ny = ngettext("%(n)d cat", "%(n)d cats", 2)\nlabel = _("状态")\n', "utf-8")
    template.write_text(
        '{% translate "Two" %}{% blocktranslate trimmed %}\n Three {{ n }}\n{% endblocktranslate %}'
        "{% include 'x' with title=_('Four') %}",
        "utf-8",
    )
    found = catalogue.messages_below(tmp_path)
    assert {message.text for message in found} == {"One", "%(n)d cat", "状态", "Two", "Three %(n)s", "Four"}
    assert catalogue.language_of(Message("状态")) == "en"
    assert catalogue.language_of(Message("One")) == "zh_Hans"
