#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the dashboard of a running server in Chromium, as phones and desktops do, and uses it: figures that come in, the
switch of the theme and of the time shown, a dialogue that is tried. Looks for what a reader would trip over: messages on
the console, requests to elsewhere, a body that scrolls sideways, letters over letters, letters too pale.

    python3 tools/pages/dashboard.py http://127.0.0.1:PORT FOLDER      leaves FOLDER/dashboard-1280-light.png and so on

Ends with "N passed, N failed". Needs Debian's chromium and python3-websocket.
"""
import json
import pathlib
import sys
import tempfile
import time

from check import PALE, PATIENCE_S, SIDEWAYS, WIDTHS, Browser

LIVE = "document.getElementById('live').textContent"
DRAWN = "document.querySelectorAll('.plot canvas').length"
LABELS = """(() => {
  const found = [];
  for (const plot of document.querySelectorAll('.plot')) {
    const boxes = [...plot.querySelectorAll('.dygraph-axis-label')].map(l => [l.textContent, l.getBoundingClientRect()]);
    const frame = plot.closest('figure').getBoundingClientRect();
    boxes.forEach(([a, p], i) => {
      if (p.left < frame.left - 2 || p.right > frame.right + 30)
        found.push(`'${a}' leaves its chart`);
      boxes.slice(i + 1).forEach(([b, q]) => {
        const x = Math.min(p.right, q.right) - Math.max(p.left, q.left), y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (a && b && x > 4 && y > 8 && p.width < 60 && q.width < 60)
          found.push(`'${a}' lies over '${b}'`);
      });
    });
  }
  return found;
})()"""
# Charts are drawn anew with every second: their labels are new elements then.
WATCH = """(() => {
  window.redrawn = 0;
  new MutationObserver(() => { window.redrawn++; }).observe(document.querySelector('.plot'), {childList: true, subtree: true});
})()"""
BACK = "getComputedStyle(document.body).backgroundColor"


class Page:
    def __init__(self, browser, address, folder):
        self.browser, self.address, self.folder = browser, address, folder
        self.passed = self.failed = 0

    def tell(self, what, complaints):
        self.passed, self.failed = self.passed + (not complaints), self.failed + bool(complaints)
        print("not ok" if complaints else "ok", "-", what)
        for complaint in complaints:
            print("  ", complaint)

    def until(self, expression, wanted, what):
        """Waits until the expression is as `wanted` says; a complaint where it never is."""
        end = time.monotonic() + PATIENCE_S
        while not wanted(value := self.browser.evaluate(expression)):
            if time.monotonic() > end:
                return [f"{what}: {value!r}"]
            time.sleep(0.2)
        return []

    def click(self, selector):
        self.browser.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def strangers(self):
        asked = [event["params"]["request"]["url"] for event in self.browser.events
                 if event.get("method") == "Network.requestWillBeSent"]
        return [f"asks for {url}" for url in asked if not url.startswith(self.address + "/")]

    def pieces(self):
        """How many pieces of the stream of events have come."""
        streams = {event["params"]["requestId"] for event in self.browser.events
                   if event.get("method") == "Network.requestWillBeSent"
                   and event["params"]["request"]["url"].endswith("/dashboard/events")}
        return sum(event.get("method") == "Network.dataReceived" and event["params"]["requestId"] in streams
                   for event in self.browser.events)

    def look(self, name):
        self.tell(f"{name}: nothing scrolls sideways", self.browser.evaluate(SIDEWAYS))
        self.tell(f"{name}: no pale letters", self.browser.evaluate(PALE))
        self.tell(f"{name}: no labels over labels", self.browser.evaluate(LABELS))
        self.browser.picture(self.folder / f"dashboard-{name}.png")

    def open(self, width, theme):
        self.browser.open(self.address + "/", width, theme)
        return self.until(LIVE, lambda text: text == "live", "the page is not live") or \
            self.until(DRAWN, lambda count: count > 10, "charts are missing")

    def try_dialogue(self, name):
        self.click("#try-send")
        complaints = self.until("document.querySelectorAll('#try-facts dd').length", lambda count: count > 0, "no timings")
        if not complaints and self.browser.evaluate("document.querySelector('.answer.failed') !== null"):
            complaints = [self.browser.evaluate("document.getElementById('try-output').textContent")]
        text = self.browser.evaluate("document.getElementById('try-output').textContent")
        self.tell(f"{name}: a dialogue is summarized", complaints or ([] if len(text) > 3 else [f"the summary is {text!r}"]))

    def use(self):
        """What only one size and theme is needed for."""
        self.tell("events keep coming", self.until("0", lambda _: self.pieces() > 2, "of three"))
        self.browser.evaluate(WATCH)
        self.tell("and are drawn", self.until("window.redrawn", lambda count: count > 2, "redrawn"))
        before = self.browser.evaluate(BACK)
        self.click("#theme")
        self.tell("the theme switches", self.until(BACK, lambda colour: colour != before, "still"))
        self.browser.evaluate("location.reload()")
        self.browser.events = []
        self.browser.wait("Page.loadEventFired")
        self.tell("and stays switched", self.until(BACK, lambda colour: colour != before, "back"))
        self.click("#theme")
        self.until(LIVE, lambda text: text == "live", "")
        self.click('[data-span="24h"]')
        self.tell("24 hours are shown", self.until(
            "document.querySelector('[data-span=\"24h\"]').getAttribute('aria-pressed')", lambda value: value == "true", "no"))
        time.sleep(1)
        self.browser.picture(self.folder / "dashboard-24h.png")


def main(address, folder):
    address, folder = address.rstrip("/"), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(profile) as browser:
        page = Page(browser, address, folder)
        for width in WIDTHS:
            for theme in ("light", "dark"):
                name = f"{width}-{theme}"
                page.tell(f"{name}: opens", page.open(width, theme))
                page.try_dialogue(name)
                page.look(name)
                page.tell(f"{name}: no message", browser.messages())
                page.tell(f"{name}: no request to elsewhere", page.strangers())
        page.open(1280, "light")
        page.use()
        page.tell("no message", browser.messages())
    print(f"pictures in {folder}")
    print(f"{page.passed} passed, {page.failed} failed")
    return 1 if page.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: dashboard.py URL FOLDER")
    sys.exit(main(*sys.argv[1:]))
