#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens a page of hone's in Chromium, as phones and desktops do, in the light and in the dark, and looks for what a reader
would trip over: messages on the console, requests that leave, a body that scrolls sideways, letters over letters, letters
too pale, tooltips that do not come by pointer or keyboard.

    python3 tools/pages/check.py PAGE.html FOLDER     leaves FOLDER/360-light.png and so on; ends with "N passed, N failed"

Needs Debian's chromium and python3-websocket.
"""
import base64
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import websocket

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --hide-scrollbars --remote-debugging-port=0 --remote-allow-origins=*""".split()
WIDTHS = {360: 740, 1280: 860}
PATIENCE_S = 30

# Expressions evaluated in the page; each gives a list of complaints.
SIDEWAYS = """(() => {
  const wide = document.documentElement.scrollWidth, room = document.documentElement.clientWidth;
  return wide > room ? [`the body is ${wide} wide in ${room}`] : [];
})()"""

OVERLAPS = """(() => {
  const found = [];
  for (const svg of document.querySelectorAll('svg')) {
    const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    const frame = svg.getBoundingClientRect();
    boxes.forEach(([a, p], i) => {
      if (p.left < frame.left - 1 || p.right > frame.right + 1)
        found.push(`'${a}' leaves its picture`);
      boxes.slice(i + 1).forEach(([b, q]) => {
        if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 3 && q.top < p.bottom - 3)
          found.push(`'${a}' lies over '${b}'`);
      });
    });
  }
  return found;
})()"""

PALE = """(() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const colour = text => { const c = text.match(/[\\d.]+/g).map(Number); return c.length == 3 ? [...c, 1] : c; };
  const found = new Set(), texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || element.closest('script,style,title,desc') || !element.checkVisibility())
      continue;
    const style = getComputedStyle(element), svg = element.closest('text');
    const cell = svg && svg.parentElement.localName === 'g' && svg.parentElement.querySelector(':scope>rect'); // a number on its cell
    let back = element;
    while (back !== document.body && colour(getComputedStyle(back).backgroundColor)[3] === 0)
      back = back.parentElement;
    const behind = cell ? getComputedStyle(cell).fill : getComputedStyle(back).backgroundColor;
    const a = light(colour(svg ? style.fill : style.color)), b = light(colour(behind)), contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5)
      found.add(`'${texts.currentNode.data.trim().slice(0, 30)}' has a contrast of ${contrast.toFixed(2)}`);
  }
  return [...found];
})()"""

TIPS = """(() => {
  const found = [], tip = document.getElementById('tip');
  for (const group of document.querySelectorAll('svg,.strips')) {
    const first = group.querySelector('[tabindex="0"]');
    if (!first)
      continue;
    first.focus();
    const name = group.getAttribute('class');
    if (tip.hidden || tip.textContent !== first.getAttribute('aria-label'))
      found.push(`focus shows nothing in ${name}`);
    const ways = ['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp'];
    ways.forEach(key => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true})));
    if (group.tips.length > 1 && group.querySelectorAll('[tabindex="0"]').length !== 1)
      found.push(`arrow keys lose their place in ${name}`);
    const box = tip.getBoundingClientRect();
    if (box.width < 60)
      found.push(`a tooltip is squeezed in ${name}`);
    if (box.left < 0 || box.right > innerWidth || box.top < 0)
      found.push(`a tooltip leaves the window in ${name}`);
    document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true}));
    if (!tip.hidden)
      found.push(`Escape leaves the tooltip of ${name}`);
    document.activeElement.blur();
  }
  document.querySelectorAll('.scroll').forEach(box => box.scrollTo(0, 0));
  window.scrollTo(0, 0);
  return found;
})()"""


class Browser:
    def __init__(self, folder):
        command = ["chromium", *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port_file, until = pathlib.Path(folder, "DevToolsActivePort"), time.monotonic() + PATIENCE_S
        while not port_file.exists() or len(port_file.read_text().split()) < 2:
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit("pages: chromium does not start")
            time.sleep(0.1)
        port, path = port_file.read_text().split()
        self.socket = websocket.create_connection(f"ws://127.0.0.1:{port}{path}", timeout=PATIENCE_S)
        self.sent, self.session, self.events = 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.sent:
                if "error" in answer:
                    sys.exit(f"pages: {method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while not any(event.get("method") == method for event in self.events):
            self.events.append(json.loads(self.socket.recv()))

    def open(self, address, width, theme, script=True):
        self.events = []
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=WIDTHS[width], deviceScaleFactor=1,
                  mobile=width < 700)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired")

    def evaluate(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            sys.exit(f"pages: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def picture(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True,
                         clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        path.write_bytes(base64.b64decode(shot["data"]))

    def messages(self):
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"])[:300] for event in self.events if event.get("method") in kinds]

    def requests(self, address):
        asked = [event["params"]["request"]["url"] for event in self.events
                 if event.get("method") == "Network.requestWillBeSent"]
        return [f"asks for {url}" for url in asked if url != address]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        self.process.wait(PATIENCE_S)


def main(page, folder):
    page, folder = pathlib.Path(page).resolve(), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    address, passed, failed = page.as_uri(), 0, 0

    def tell(what, complaints):
        nonlocal passed, failed
        passed, failed = passed + (not complaints), failed + bool(complaints)
        print("not ok" if complaints else "ok", "-", what)
        for complaint in complaints:
            print("  ", complaint)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(profile) as browser:
        for width in WIDTHS:
            for theme in ("light", "dark"):
                name = f"{width}-{theme}"
                browser.open(address, width, theme)
                tell(f"{name}: tooltips by keyboard", browser.evaluate(TIPS))
                for word, check in (("nothing scrolls sideways", SIDEWAYS), ("no letters over letters", OVERLAPS),
                                    ("no pale letters", PALE)):
                    tell(f"{name}: {word}", browser.evaluate(check))
                browser.picture(folder / f"{name}.png")
                browser.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
                tell(f"{name}: nothing scrolls sideways, unfolded", browser.evaluate(SIDEWAYS))
                tell(f"{name}: no pale letters, unfolded", browser.evaluate(PALE))
                tell(f"{name}: no message", browser.messages())
                tell(f"{name}: no request leaves", browser.requests(address))
        browser.open(address, 1280, "light", script=False)
        browser.picture(folder / "without-script.png")
        tell("without script: no message", browser.messages())
    print(f"pictures in {folder}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: check.py PAGE.html FOLDER")
    sys.exit(main(*sys.argv[1:]))
