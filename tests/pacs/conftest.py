"""A real Orthanc on loopback, and leakseg's listener as a process of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_dicom"
ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
PLUGINS = Path("/usr/share/orthanc/plugins")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(what, seconds=120.0):
    """The first true answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = what()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError("waited in vain")


class Orthanc:
    """A PACS: its REST interface, and where it listens."""

    def __init__(self, folder, listener_port):
        self.title, self.port, self.http, self.listener_port = "ORTHANC", free_port(), free_port(), listener_port
        plugin = PLUGINS / "libOrthancDicomWeb.so"
        settings = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": self.title,
            "DicomPort": self.port,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowEcho": True,
            "HttpPort": self.http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "Plugins": [str(plugin)] if plugin.exists() else [],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "DicomModalities": {"leakseg": ["LEAKSEG", "127.0.0.1", listener_port]},
            "OverwriteInstances": True,
        }
        (folder / "orthanc.json").write_text(json.dumps(settings), encoding="utf-8")
        self._log = (folder / "orthanc.log").open("wb")
        self._arguments = [ORTHANC, str(folder / "orthanc.json")]
        self.has_dicomweb = plugin.exists()
        self.start()

    def start(self):
        self._process = subprocess.Popen(self._arguments, stdout=self._log, stderr=self._log)
        wait_for(self._is_up, 30)

    def _is_up(self):
        assert self._process.poll() is None, "Orthanc ended at once"
        try:
            return self.get("/system")
        except (urllib.error.URLError, ConnectionError):
            return None

    def ask(self, path, data=None, method=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def get(self, path):
        return json.loads(self.ask(path))

    def upload(self, folder):
        for path in sorted(folder.glob("*.dcm")):
            self.ask("/instances", path.read_bytes())

    def send(self, study_uid):
        """Send a study to the listener by C-STORE."""
        data = json.dumps([self.study(study_uid)]).encode()
        answer = json.loads(self.ask("/modalities/leakseg/store", data))
        assert answer["FailedInstancesCount"] == 0
        return answer["InstancesCount"]

    def study(self, study_uid):
        query = {"Level": "Study", "Query": {"StudyInstanceUID": study_uid}}
        found = json.loads(self.ask("/tools/find", json.dumps(query).encode()))
        return found[0] if found else None

    def instances(self, study_uid, modality):
        """The study's instances of one modality, as bytes."""
        study = self.study(study_uid)
        found = {}
        for series in self.get(f"/studies/{study}/series") if study else ():
            if series["MainDicomTags"]["Modality"] == modality:
                for one in series["Instances"]:
                    found[one] = self.ask(f"/instances/{one}/file")
        return found

    def stop(self):
        self._process.terminate()
        self._process.wait(30)

    def close(self):
        self.stop()
        self._log.close()


class Listener:
    """`leakseg listen` as a process; what it says is kept."""

    def __init__(self, out, *options, port=None, allow=("ORTHANC", "STORESCU"), before=None, quiet=1.0):
        self.out, self.port = out, port or free_port()
        callers = [word for title in allow for word in ("--allow", title)]
        self._arguments = [
            sys.executable, "-m", "leakseg", "listen", "-o", str(out), "--port", str(self.port),
            "--quiet-seconds", str(quiet), "--json", *callers, *map(str, options),
        ]  # fmt: skip
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            self._arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            preexec_fn=before,  # noqa: PLW1509 - no threads matter here
        )
        self.said = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for(lambda: self.has_said("listens on") or self._process.poll() is not None, 60)

    def _read(self):
        for line in self._process.stderr:
            self.said.append(line)

    def has_said(self, pattern):
        return any(re.search(pattern, line) for line in list(self.said))

    def wait(self, pattern, seconds=120.0):
        wait_for(lambda: self.has_said(pattern), seconds)

    def kill(self):
        self._process.kill()
        return self._end()

    def stop(self):
        """End it by SIGTERM; its exit code and what it printed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self):
        code = self._process.wait(60)
        self._reader.join(10)
        printed = self._process.stdout.read()
        self._process.stdout.close()
        self._process.stderr.close()
        return code, printed


@pytest.fixture(scope="session")
def pacs(tmp_path_factory):
    if ORTHANC is None:
        pytest.skip("orthanc (Debian) is not installed")
    orthanc = Orthanc(tmp_path_factory.mktemp("orthanc"), free_port())
    yield orthanc
    orthanc.close()


def of_dcmtk(name):
    """DCMTK's program; pynetdicom brings others of the same names."""
    for folder in os.environ["PATH"].split(os.pathsep):
        program = shutil.which(name, path=folder)
        if program and b"dcmtk" in subprocess.run([program, "--version"], capture_output=True, check=False).stdout:
            return program
    pytest.skip(f"{name} of dcmtk (Debian) is not installed")


@pytest.fixture(scope="session")
def storescu():
    """Sends files by DCMTK."""
    program = of_dcmtk("storescu")

    def send(port, *files, title="LEAKSEG", caller="STORESCU", options=(), start=subprocess.run, **choices):
        arguments = [program, *options, "-aet", caller, "-aec", title, "127.0.0.1", str(port), *map(str, files)]
        return start(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **choices)

    return send


@pytest.fixture(scope="session")
def echoscu():
    """Asks by DCMTK whether someone is there; the exit code."""
    program = of_dcmtk("echoscu")

    def ask(port, *, title="LEAKSEG", caller="STORESCU", options=()):
        arguments = [program, *options, "-aet", caller, "-aec", title, "127.0.0.1", str(port)]
        return subprocess.run(arguments, capture_output=True, check=False, timeout=60).returncode

    return ask


@pytest.fixture
def free():
    """Finds a port where nobody listens."""
    return free_port


@pytest.fixture
def until():
    """Waits for the first true answer."""
    return wait_for


@pytest.fixture
def listening():
    """Starts listeners and ends what is left of them."""
    started = []

    def start(*arguments, **choices):
        started.append(Listener(*arguments, **choices))
        return started[-1]

    yield start
    for one in started:
        if one._process.poll() is None:
            one.kill()


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """A listener that only receives."""
    one = Listener(tmp_path_factory.mktemp("idle") / "out", quiet=600)
    yield one
    if one._process.poll() is None:
        one.kill()


@pytest.fixture
def recipe(tmp_path):
    """The sample study's own masks for whatever study comes."""
    path = tmp_path / "recipe.toml"
    masks = SAMPLE / "masks" / "three-leaks"
    path.write_text(f'masks = ["{masks.as_posix()}"]\nwrite = ["json", "csv", "seg", "sr", "png"]\n', encoding="utf-8")
    return path
