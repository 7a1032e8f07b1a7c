/* SPDX-License-Identifier: Apache-2.0 */
/* Our puts through the stub broker's HTTP API: a POST of one message, and the next when it is
 * answered, on connections that stay open.
 *
 *   ha_http_put --port P [--producers 1] [--seconds 2] [--body 1024] [--rate 0] [--count 0]
 *               [--acks 2] [--queue -1] [--line 0] [--cpus CLIENT,-1]
 *
 * --acks: the copies that a message waits for, the master's included. --queue: below 0, the four
 * queues of the topic in turn. --line: the body is many messages of so many bytes, a newline
 * included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/clients.h"

static int64_t acks;
static int64_t line;
static char query[64];

static char* make_request(int connection, int64_t messages, int64_t body, size_t* size) {
  (void)connection;
  if (messages != 1) bench_die("--window: a request has one message");
  char head[256];
  const int head_size = snprintf(head, sizeof head,
                                 "POST /v1/topics/bench/messages?acks=%lld%s HTTP/1.1\r\n"
                                 "Host: 127.0.0.1\r\n"
                                 "Content-Type: application/octet-stream\r\n"
                                 "Content-Length: %lld\r\n\r\n",
                                 (long long)acks, query, (long long)body);
  *size = (size_t)head_size + (size_t)body;
  char* request = malloc(*size);
  if (request == NULL) bench_die("no memory");
  memcpy(request, head, (size_t)head_size);
  memset(request + head_size, 'b', (size_t)body);
  for (int64_t end = line; line > 0 && end <= body; end += line)
    request[head_size + end - 1] = '\n';
  return request;
}

/* As much of HTTP as this server's answers need. */
static int is_whole(const char* answer, size_t size, int64_t messages) {
  static const char kStatus[] = "HTTP/1.1 200 ";
  static const char kLength[] = "\r\nContent-Length: ";
  (void)messages;
  const char* header_end = strstr(answer, "\r\n\r\n");
  if (header_end == NULL) return 0;
  const char* length = strstr(answer, kLength);
  if (length == NULL || length > header_end) bench_die("an answer without length: %.200s", answer);
  const char* body = header_end + 4;
  const size_t whole =
      (size_t)(body - answer) + (size_t)strtoul(length + sizeof kLength - 1, NULL, 10);
  if (size < whole) return 0;
  if (size > whole || strncmp(answer, kStatus, sizeof kStatus - 1) != 0 ||
      strstr(body, "\"status\":\"OK\"") == NULL)
    bench_die("an answer that is not OK: %.400s", answer);
  return 1;
}

int main(int argc, char** argv) {
  acks = bench_number(argc, argv, "--acks", 2);
  const int64_t number = bench_number(argc, argv, "--queue", -1);
  line = bench_number(argc, argv, "--line", 0);
  if (number >= 0) snprintf(query, sizeof query, "&queue=%lld", (long long)number);
  if (line > 0) strcat(query, "&lines=1");
  const struct bench_protocol http = {make_request, is_whole};
  bench_run_clients(argc, argv, &http);
  return 0;
}
