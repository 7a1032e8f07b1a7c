/* SPDX-License-Identifier: Apache-2.0 */
/* Redis' replicated write: SET and WAIT 1 in one send, and the next when both are answered. With a
 * window of more than one: so many SETs before each WAIT, the kindest way to pipeline for Redis.
 *
 *   ha_redis_put --port P [--producers 1] [--window 1] [--seconds 2] [--body 1024]
 *                [--rate 0] [--count 0] [--cpus CLIENT,-1]
 *
 * Each connection writes one key over and over: what a growing keyspace costs is left out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/common/bench.h"
#include "tests/bench/common/clients.h"

static const char kWait[] = "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";
static const char kStored[] = "+OK\r\n";
static const char kOneCopy[] = ":1\r\n";

static char* make_request(int connection, int64_t messages, int64_t body, size_t* size) {
  char head[128];
  const int head_size = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$6\r\nkey%03d\r\n$%lld\r\n",
                                 connection, (long long)body);
  const size_t set = (size_t)head_size + (size_t)body + 2;
  *size = set * (size_t)messages + sizeof kWait - 1;
  char* request = malloc(*size);
  if (request == NULL) bench_die("no memory");
  char* to = request;
  for (int64_t i = 0; i < messages; ++i) {
    memcpy(to, head, (size_t)head_size);
    memset(to + head_size, 'b', (size_t)body);
    memcpy(to + head_size + body, "\r\n", 2);
    to += set;
  }
  memcpy(to, kWait, sizeof kWait - 1);
  return request;
}

static int is_whole(const char* answer, size_t size, int64_t messages) {
  const size_t stored = (size_t)messages * (sizeof kStored - 1);
  const size_t whole = stored + sizeof kOneCopy - 1;
  if (answer[0] != kStored[0]) bench_die("Redis says: %.200s", answer);
  if (size < whole) return 0;
  if (size > whole || memcmp(answer + stored, kOneCopy, sizeof kOneCopy - 1) != 0)
    bench_die("an answer that is not one copy: %.200s", answer + stored);
  return 1;
}

int main(int argc, char** argv) {
  const struct bench_protocol redis = {make_request, is_whole};
  bench_run_clients(argc, argv, &redis);
  return 0;
}
