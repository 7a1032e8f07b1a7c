// SPDX-License-Identifier: Apache-2.0
package haplugin.rocketmq;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.common.constant.LoggerName;
import org.apache.rocketmq.logging.org.slf4j.Logger;
import org.apache.rocketmq.logging.org.slf4j.LoggerFactory;
import org.apache.rocketmq.remoting.protocol.RemotingSerializable;
import org.apache.rocketmq.store.DefaultMessageStore;

/**
 * Where an operator asks for another role, over HTTP: the routes, answers and access rules of the
 * stub broker (host_stub/http), so that `ha_stub promote`, `demote`, `follow`, `set` and `status`
 * are for this broker too. Asking for the state is open to everybody who reaches the address.
 */
final class ControlDoor {
  private static final Logger LOG = LoggerFactory.getLogger(LoggerName.STORE_LOGGER_NAME);
  private static final String LISTEN = Options.PREFIX + "control_listen";
  // A promotion takes its thread for up to half a minute.
  private static final int THREADS = 16;
  private static final int MOST_BODY_BYTES = 4096;
  // Of a client that sends nothing, and of one that reads nothing; the latter includes the time that
  // a promotion takes. They are the JVM's: the first server that starts in it reads them.
  private static final String MOST_REQUEST_SECONDS = "10";
  private static final String MOST_ANSWER_SECONDS = "60";
  private static final String[] ADDED_BY_PROXIES = {
    "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via", "Origin", "Referer",
    "Sec-Fetch-Site"
  };
  private static final Pattern ADDRESS = Pattern.compile("\\[?([^\\[\\]]*)\\]?:([0-9]{1,5})");
  private static final Pattern ONLY_MEMBER =
      Pattern.compile("\\s*\\{\\s*\"(\\w+)\"\\s*:\\s*\"([^\"\\\\]*)\"\\s*\\}\\s*");

  /** An answer that is not the route's own. */
  private static final class Refused extends Exception {
    private static final long serialVersionUID = 1L;

    final int http;
    final String code;

    Refused(int http, String code, String message) {
      super(message);
      this.http = http;
      this.code = code;
    }
  }

  private interface Route {
    String answer(HttpExchange call) throws IOException, Refused;
  }

  private final NativeHAService service;
  private final TokenFile tokens; // null: programs of this machine need none
  private final HttpServer server;
  private final AtomicLong saidRefused =
      new AtomicLong(System.nanoTime() - TimeUnit.DAYS.toNanos(1));
  private final ExecutorService threads =
      Executors.newFixedThreadPool(THREADS, new DaemonThreads("ha-control"));

  /** @param tokenFile null: no token is asked for, and only programs of this machine are answered */
  ControlDoor(NativeHAService service, String listen, String tokenFile) throws IOException {
    this.service = service;
    tokens = tokenFile == null ? null : new TokenFile(tokenFile);
    Matcher address = ADDRESS.matcher(listen);
    if (!address.matches() || Integer.parseInt(address.group(2)) > 65535) {
      throw new HaException(
          "ha_plugin: " + LISTEN + " '" + listen + "' is not ADDRESS:PORT; try 127.0.0.1:8081");
    }
    System.setProperty("sun.net.httpserver.maxReqTime", MOST_REQUEST_SECONDS);
    System.setProperty("sun.net.httpserver.maxRspTime", MOST_ANSWER_SECONDS);
    try {
      server =
          HttpServer.create(
              new InetSocketAddress(
                  InetAddress.getByName(address.group(1)), Integer.parseInt(address.group(2))),
              0);
    } catch (IOException e) {
      throw new HaException(
          "ha_plugin: " + LISTEN + ": cannot listen on '" + listen + "': " + e.getMessage());
    }
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
    LOG.info("ha_plugin: operators' requests are taken at http:/{}", server.getAddress());
  }

  void stop() {
    server.stop(0);
    threads.shutdownNow();
  }

  private void handle(HttpExchange call) throws IOException {
    try {
      reply(call, 200, route(call).answer(call));
    } catch (Refused e) {
      if (e.http == 401) {
        call.getResponseHeaders().set("WWW-Authenticate", "Bearer");
      }
      reply(call, e.http, error(e.code, e.getMessage()));
    } catch (HaException e) {
      reply(call, httpOf(e.status()), error(service.plugin().statusName(e.status()), e.getMessage()));
    } catch (RuntimeException e) {
      LOG.error("ha_plugin: {} {}", call.getRequestMethod(), call.getRequestURI(), e);
      reply(call, 500, error("INTERNAL", e.toString()));
    } finally {
      call.close();
    }
  }

  private Route route(HttpExchange call) throws Refused {
    URI target = call.getRequestURI();
    String path = target.getPath();
    switch (call.getRequestMethod() + " " + path) {
      case "GET /v1/status":
        return any -> status();
      case "GET /healthz":
        return any -> json("status", "OK");
      case "GET /readyz":
        return any -> ready();
      case "GET /metrics":
        call.getResponseHeaders().set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
        return any -> service.plugin().metricsText();
      case "POST /v1/promote":
        return allowed(call, this::promote);
      case "POST /v1/demote":
        return allowed(call, one -> changed(Native.SLAVE, "", false));
      case "POST /v1/follow":
        return allowed(
            call, one -> changed(Native.SLAVE, member(one, "master", "HOST:PORT"), false));
      default:
        if (call.getRequestMethod().equals("PUT") && path.startsWith("/v1/options/")) {
          return allowed(call, one -> option(one, path.substring("/v1/options/".length())));
        }
        throw new Refused(
            404,
            "NOT_FOUND",
            "no such request: " + call.getRequestMethod() + " " + path
                + " (known: GET /v1/status, /healthz, /readyz, /metrics; POST /v1/promote,"
                + " /v1/demote, /v1/follow; PUT /v1/options/KEY)");
    }
  }

  // ---- who may ----

  private Route allowed(HttpExchange call, Route route) throws Refused {
    Headers fields = call.getRequestHeaders();
    String what = call.getRequestMethod() + " " + call.getRequestURI().getPath();
    if (tokens != null) {
      String given = fields.getFirst("Authorization");
      if (given == null || !given.regionMatches(true, 0, "Bearer ", 0, 7)) {
        throw refused(
            call, 401, "UNAUTHORIZED",
            what + " needs a token; send 'Authorization: Bearer TOKEN' (ha_stub: --token-file FILE)");
      }
      if (!tokens.holds(given.substring(7).trim())) {
        throw refused(
            call, 403, "FORBIDDEN",
            what + " needs a token that this broker knows; this one is not in its file");
      }
      return route;
    }
    String wayOut =
        "; set " + Options.PREFIX + "control_token_file in broker.conf and send a token";
    if (!call.getRemoteAddress().getAddress().isLoopbackAddress()) {
      throw refused(
          call, 403, "FORBIDDEN",
          what + " is answered only to programs on this machine, over 127.0.0.1 or ::1" + wayOut);
    }
    for (String field : ADDED_BY_PROXIES) {
      if (fields.containsKey(field)) {
        throw refused(
            call, 403, "FORBIDDEN",
            what + " is answered only to programs on this machine, and the field " + field
                + " says that a proxy or a web page sent this" + wayOut);
      }
    }
    return route;
  }

  private Refused refused(HttpExchange call, int http, String code, String message) {
    long now = System.nanoTime();
    long before = saidRefused.get();
    // A scan must not fill the log.
    if (now - before > TimeUnit.SECONDS.toNanos(10) && saidRefused.compareAndSet(before, now)) {
      LOG.warn("ha_plugin: refused, from {}: {}", call.getRemoteAddress(), message);
    }
    return new Refused(http, code, message);
  }

  // ---- what is asked for ----

  private String promote(HttpExchange call) throws IOException, Refused {
    String query = call.getRequestURI().getQuery();
    boolean force = "force=true".equals(query) || "force=1".equals(query);
    if (query != null && !force && !"force=false".equals(query)) {
      throw new Refused(400, "INVALID", "'" + query + "' is not force=true or force=false");
    }
    return changed(Native.MASTER, "", force);
  }

  private String changed(int role, String master, boolean force) throws IOException {
    service.changeRole(role, master, force);
    return master.isEmpty()
        ? json("status", "OK", "role", service.roleName())
        : json("status", "OK", "role", service.roleName(), "master", master);
  }

  private String option(HttpExchange call, String key) throws IOException, Refused {
    String value = member(call, "value", "TEXT");
    service.setOption(key, value);
    return json("status", "OK", "option", key, "value", value);
  }

  private String ready() throws Refused {
    String reason = service.notReadyReason();
    if (!reason.isEmpty()) {
      throw new Refused(503, "NOT_READY", reason);
    }
    return json("status", "OK");
  }

  private String status() throws IOException {
    DefaultMessageStore store = service.store();
    Map<String, Object> bounds = new LinkedHashMap<>();
    bounds.put("min", Math.max(0, store.getMinPhyOffset()));
    bounds.put("end", store.getMaxPhyOffset());
    bounds.put("confirm", store.getReputFromOffset());
    bounds.put("segment_size", store.getMessageStoreConfig().getMappedFileSizeCommitLog());
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("role", service.roleName());
    all.put("role_text", service.roleText());
    all.put("master", service.masterAddress());
    all.put("bounds", bounds);
    all.put("whole_end", store.getMaxPhyOffset());
    all.put("not_ready", service.notReadyReason());
    String own = RemotingSerializable.toJson(all, false);
    return own.substring(0, own.length() - 1) + ",\"ha\":" + service.plugin().statusJson() + "}\n";
  }

  // ---- HTTP ----

  /** The body is {"NAME":"..."} and nothing else; its text. */
  private static String member(HttpExchange call, String name, String value)
      throws IOException, Refused {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    byte[] piece = new byte[MOST_BODY_BYTES];
    InputStream body = call.getRequestBody();
    for (int size = body.read(piece); size > 0; size = body.read(piece)) {
      all.write(piece, 0, size);
      if (all.size() > MOST_BODY_BYTES) {
        throw new Refused(
            413, "INVALID", "the body is longer than " + MOST_BODY_BYTES + " bytes");
      }
    }
    Matcher one = ONLY_MEMBER.matcher(new String(all.toByteArray(), StandardCharsets.UTF_8));
    if (!one.matches() || !one.group(1).equals(name)) {
      throw new Refused(
          400, "INVALID", "the body is not {\"" + name + "\":\"" + value + "\"}");
    }
    return one.group(2);
  }

  private static void reply(HttpExchange call, int http, String text) throws IOException {
    byte[] body = text.getBytes(StandardCharsets.UTF_8);
    Headers fields = call.getResponseHeaders();
    if (http != 200 || !fields.containsKey("Content-Type")) {
      fields.set("Content-Type", "application/json");
    }
    call.sendResponseHeaders(http, body.length);
    try (OutputStream out = call.getResponseBody()) {
      out.write(body);
    }
  }

  /** Name, value, name, value, ... */
  private static String json(String... members) {
    Map<String, Object> all = new LinkedHashMap<>();
    for (int i = 0; i + 1 < members.length; i += 2) {
      all.put(members[i], members[i + 1]);
    }
    return RemotingSerializable.toJson(all, false) + "\n";
  }

  private static String error(String code, String message) {
    Map<String, Object> inner = new LinkedHashMap<>();
    inner.put("code", code);
    inner.put("message", message);
    Map<String, Object> outer = new LinkedHashMap<>();
    outer.put("error", inner);
    return RemotingSerializable.toJson(outer, false) + "\n";
  }

  private static int httpOf(int status) {
    switch (status) {
      case Native.INVALID:
        return 400;
      case Native.STATE:
      case Native.EPOCH:
        return 409;
      case Native.NOT_MASTER:
        return 421;
      case Native.AGAIN:
      case Native.SHUTDOWN:
        return 503;
      case Native.TIMEOUT:
        return 504;
      default:
        return 500;
    }
  }
}
