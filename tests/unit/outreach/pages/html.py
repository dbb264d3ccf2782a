"""Reads a page the way a screen reader does: what is named, by what, and what is not."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = dict[str, str | None]

_EMPTY = frozenset({"meta", "input", "br", "hr", "link", "img", "circle", "path"})
_TO_FILL_IN = frozenset({"input", "textarea", "select"})


@dataclass
class Element:
    tag: str
    attributes: Attributes
    text: str = ""


@dataclass
class Page(HTMLParser):
    """The elements of a page in their order, each with all the text in it."""

    elements: list[Element] = field(default_factory=list)
    _open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in _EMPTY:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        wanted = attributes.items()
        return [e for e in self.elements if e.tag == tag and wanted <= e.attributes.items()]

    def one(self, tag: str, **attributes: str) -> Element:
        (found,) = self.all(tag, **attributes)
        return found

    @property
    def is_closed(self) -> bool:
        return not self._open


def parse(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def faults(html: str) -> list[str]:
    """Return what a person with a keyboard, a screen reader or no network would stumble over."""
    page = parse(html)
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    labels = {label.attributes.get("for") for label in page.all("label") if label.text.strip()}
    fields = [e for e in page.elements if e.tag in _TO_FILL_IN]
    refers = [
        e.attributes["aria-describedby"]
        for e in page.elements
        if "aria-describedby" in e.attributes
    ]
    radios = page.all("input", type="radio")
    broken = {
        "an element is not closed": not page.is_closed,
        "not one h1": len([h for h in page.all("h1") if h.text.strip()]) != 1,
        "no language": not page.one("html").attributes.get("lang"),
        "no title": not page.one("title").text.strip(),
        "not one main": len(page.all("main")) != 1,
        "no viewport": not page.all("meta", name="viewport"),
        "an id twice": len(set(ids)) != len(ids),
        "a field without a label": any(f.attributes.get("id") not in labels for f in fields),
        "a label of nothing": not labels <= set(ids),
        "a description that is not there": not set(refers) <= set(ids),
        "choices without a legend": bool(radios) and not page.one("legend").text.strip(),
        "a button without words": any(not b.text.strip() for b in page.all("button")),
        "two buttons of one name": len({_spoken(b) for b in page.all("button")})
        != len(page.all("button")),
        "script": bool(page.all("script")),
        "an attribute that CSP forbids": any(
            name == "style" or name.startswith("on") for e in page.elements for name in e.attributes
        ),
        "something from elsewhere": any(
            "//" in (e.attributes.get(name) or "")
            for e in page.elements
            for name in ("src", "href", "action")
        ),
        "a picture that is read aloud": any(
            svg.attributes.get("aria-hidden") != "true" for svg in page.all("svg")
        ),
    }
    return [rule for rule, is_broken in broken.items() if is_broken]


def _spoken(element: Element) -> str:
    return " ".join(element.text.split())
