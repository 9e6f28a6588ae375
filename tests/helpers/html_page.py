"""Read: an HTML page as the tests look at it."""

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "source", "br", "hr", "input"}


class Read(HTMLParser):
    """What a page holds; a tag that is not closed, or closed twice, is an AssertionError."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.ids, self.addresses, self.pictures, self.words = [], [], [], [], []
        self.feed(text.replace("<wbr>", ""))  # a word that may be broken is one word
        assert not self.open

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids += [found["id"]] if "id" in found else []
        self.addresses += [found[name] for name in ("src", "href", "srcset", "action", "data") if found.get(name)]
        self.pictures += [(tag, found)] if tag == "img" or (tag == "svg" and found.get("role") == "img") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())
