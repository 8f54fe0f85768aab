"""What the scripts of this folder share: a server of their own, what it and the kernel tell of it, and hone-load as its clients."""
import http.client, json, os, re, resource, shutil, signal, socket, subprocess, sys, tempfile, time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LOAD = os.path.join(ROOT, "build", "bench", "hone-load")


def add_common(parser):
    parser.add_argument("--hone", default=os.environ.get("HONE", os.path.join(ROOT, "build", "hone")), help="the program (default: build/hone)")
    parser.add_argument("--model", default=os.path.join(ROOT, "demo", "model"), help="what it serves (default: demo/model)")
    parser.add_argument("--workload", help="JSON lines with `input_ids` or `text` (default: the demo's dialogues)")


def make_workload(folder):
    """The demo's dialogues as sources."""
    path = os.path.join(folder, "workload.jsonl")
    with open(os.path.join(ROOT, "demo", "dev.jsonl")) as dialogues, open(path, "w") as out:
        for line in dialogues:
            out.write(json.dumps({"text": json.loads(line)["dialogue"]}) + "\n")
    return path


def wait_until(condition, seconds, step=0.02):
    """Whether it came true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True


class Server:
    """hone serve on loopback at a port the system chose, with its log and history in `folder`."""

    def __init__(self, hone, model, folder, *options, files=None, port=0, log=None, history=None, before=None):
        self.folder, self.log = folder, log or os.path.join(folder, "log")
        self.command = [hone, "serve", model, "--port", str(port), "--log", self.log, "--history", history or os.path.join(folder, "history.sqlite"),
                        *options]

        def prepare():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
            if before:
                before()
        self.errors = open(os.path.join(folder, "stderr"), "a+")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.errors, text=True, preexec_fn=prepare)
        self.told, self.clients = [], []
        for line in self.process.stdout:
            self.told.append(line.strip())
            if "K/V up to" in line:
                break
        if not self.told or not self.told[0].startswith("listening on http://"):
            code = self.process.wait(60)
            self.errors.seek(0)
            raise RuntimeError(f"hone serve ended with {code}: {self.errors.read().strip()[-400:]}")
        self.url = self.told[0].split()[2]
        self.host, port = self.url[len("http://"):].rsplit(":", 1)
        self.port, self.pid, self.name = int(port), self.process.pid, os.path.basename(model.rstrip("/"))

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """(status, bytes) of one request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, json.dumps(body) if isinstance(body, (dict, list)) else body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def is_well(self):
        """Whether it answers a small request."""
        try:
            status, body = self.ask("POST", "/v1/completions", {"prompt": [0, 5, 6, 2], "max_tokens": 4, "temperature": 0})
            return status == 200 and b"completion_tokens" in body
        except (OSError, http.client.HTTPException):
            return False

    def metrics(self):
        """{name: sum over its labels} and {name{labels}: value}, of hone's own figures."""
        status, body = self.ask("GET", "/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}")
        figures = {}
        for name, labels, value in re.findall(r"^(hone_\w+)(\{[^}]*\})? (\S+)$", body.decode(), re.M):
            figures[name] = figures.get(name, 0) + float(value)
            figures[name + labels] = float(value)
        return figures

    def rests(self):
        """Whether nothing is queued, running, or held by requests."""
        figures = self.metrics()
        return not any(figures[f"hone_{name}"] for name in ("requests_running", "requests_queued", "kv_pages_used"))

    def rss_mb(self):
        with open(f"/proc/{self.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def open_files(self):
        """What its descriptors are."""
        found = []
        for number in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                found.append(f"{number} {os.readlink(f'/proc/{self.pid}/fd/{number}')}")
            except OSError:  # closed meanwhile
                pass
        return found

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def log_lines(self, level):
        with open(self.log) as f:
            return [line for line in map(json.loads, f) if line["level"] == level]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=60):
        """Its exit code after SIGTERM."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "killed: it did not end"
        finally:
            self.process.stdout.close()
            self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [self.process, *self.clients]:
            if process.poll() is None:
                process.kill()
                process.wait()


class Load:
    """hone-load in the background, at the latest until its server's end."""

    def __init__(self, server, workload, *options):
        self.process = subprocess.Popen([LOAD, "--url", server.url, "--workload", workload, "--timeout", "120", *map(str, options)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        server.clients.append(self.process)  # none outlives it

    def end(self, stop=False, seconds=300):
        """What it told."""
        if stop:
            self.process.send_signal(signal.SIGINT)
        out, errors = self.process.communicate(timeout=seconds)
        if not out.startswith("{"):
            raise RuntimeError(f"hone-load ended with {self.process.returncode}: {errors.strip()}")
        return json.loads(out)
