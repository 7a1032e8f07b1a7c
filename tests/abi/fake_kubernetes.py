# SPDX-License-Identifier: Apache-2.0
"""The API server of Kubernetes, as far as one Lease object of one namespace is concerned.

Written after the API's documentation: a PUT must have the resourceVersion that is there (409), a POST
must find nothing (409), and each change gives the object another resourceVersion.
"""
import http.server
import json
import threading

PATH = "/apis/coordination.k8s.io/v1/namespaces/prod/leases"


class FakeKubernetes:
    def __init__(self, token=None):
        self.mutex = threading.Lock()
        self.lease, self.version, self.token = None, 100, token
        self.before = []           # called one by one, before a change is judged
        self.refuse_changes = 0    # with that status
        self.lose_answers = False  # of changes, which are made
        self.status = 0            # what everything is answered with; 0 = what is right
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                self.answer(*fake.judge(self, None))

            def do_PUT(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if fake.before:
                    fake.before.pop(0)()
                if fake.refuse_changes:
                    return self.answer(fake.refuse_changes, {"kind": "Status"})
                status, answer = fake.judge(self, body)
                if status < 300 and fake.lose_answers:
                    return
                self.answer(status, answer)

            do_POST = do_PUT

            def answer(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def judge(self, request, body):
        with self.mutex:
            wanted = PATH if request.command == "POST" else PATH + "/ha"
            if self.status:
                return self.status, {"kind": "Status", "code": self.status}
            if self.token and request.headers["Authorization"] != "Bearer " + self.token:
                return 401, {"kind": "Status", "reason": "Unauthorized"}
            if request.path != wanted:
                return 404, {"kind": "Status", "reason": "NotFound"}
            if body is None or request.command == "PUT":
                if self.lease is None:
                    return 404, {"kind": "Status", "reason": "NotFound"}
                if body is None:
                    return 200, self.lease
                if body["metadata"].get("resourceVersion") != str(self.version):
                    return 409, {"kind": "Status", "reason": "Conflict"}
            elif self.lease is not None:
                return 409, {"kind": "Status", "reason": "AlreadyExists"}
            self.version += 1
            body["metadata"]["resourceVersion"] = str(self.version)
            self.lease = body
            return 200, body
