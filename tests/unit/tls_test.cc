// SPDX-License-Identifier: Apache-2.0
// TLS without sockets: contexts from files, and sessions whose bytes the test carries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <cstring>

#include "ha_plugin/net/io/tls_context.h"
#include "ha_plugin/net/io/tls_policy.h"
#include "tests/unit/authority.h"
#include "tests/unit/state_dir.h"

namespace ha::net {
namespace {

using ha::testing::Authority;
using ha::testing::CertificateWish;
using ha::testing::StateDir;
using ha::testing::write_file;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kKey1[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
constexpr char kKey2[] = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n";

// Carries what one side has for the other, in pieces of that many bytes. Returns what the other
// read as plaintext.
std::string carry(TlsSession& from, TlsSession& to, std::size_t piece = SIZE_MAX) {
  std::string plain;
  std::vector<std::byte> room(64 * 1024);
  while (!from.output().empty()) {
    const auto all = from.output();
    const std::vector<std::byte> bytes(
        all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(piece, all.size())));
    from.sent(bytes.size());
    to.feed(bytes);
    std::size_t size = 0;
    while (to.read(room, size) == TlsSession::Read::kBytes) {
      plain.append(reinterpret_cast<const char*>(room.data()), size);
    }
  }
  return plain;
}

void begin(TlsSession& session) {
  std::byte none[1];
  std::size_t size = 0;
  session.read(none, size);
}

struct Pair {
  std::unique_ptr<TlsSession> client;
  std::unique_ptr<TlsSession> server;

  // To and fro until neither has anything to say.
  void shake_hands(std::size_t piece = SIZE_MAX) {
    begin(*client);
    while (!client->output().empty() || !server->output().empty()) {
      carry(*client, *server, piece);
      carry(*server, *client, piece);
    }
  }
  bool good() const { return client->established() && server->established(); }
};

class Tls : public ::testing::Test {
 protected:
  // Files of a node with that certificate.
  TlsFiles files_of(const std::string& id, Authority& authority, const CertificateWish& wish) {
    const Authority::Issued issued = authority.issue(id, wish);
    serials_[id] = issued.serial;
    return {write_file(dir_.path(), id + ".crt", issued.certificate, 0644),
            write_file(dir_.path(), id + ".key", issued.key),
            write_file(dir_.path(), "ca.crt", ca_.pem(), 0644), "", ""};
  }
  TlsFiles files_of(const std::string& id) { return files_of(id, ca_, {"URI:ha:prod/" + id}); }
  TlsFiles key_file(const std::string& id, const std::string& keys) {
    return {"", "", "", "", write_file(dir_.path(), id + ".psk", keys)};
  }
  static std::shared_ptr<TlsContext> make(const TlsFiles& files, const std::string& id,
                                          const std::string& cluster = "prod",
                                          std::uint64_t rekey = TlsContext::kRekeyBytes) {
    std::string wrong;
    auto made = TlsContext::make(files, cluster, id, wrong, rekey);
    EXPECT_TRUE(made) << wrong;
    return made;
  }
  static std::string refused(const TlsFiles& files, const std::string& id = "a") {
    std::string wrong;
    EXPECT_FALSE(TlsContext::make(files, "prod", id, wrong));
    return wrong;
  }
  static Pair pair(TlsContext& client, TlsContext& server, const std::string& dialled) {
    return {client.dial(dialled), server.accept()};
  }

  StateDir dir_;
  Authority ca_{"ha-ca"};
  std::map<std::string, long> serials_;
};

// It would also be said when the clock jumps over a day on which it was due.
TEST_F(Tls, TheEndOfTheOwnCertificateIsSaidAMonthAndAWeekBeforeAndThen) {
  constexpr std::int64_t kDay = 86400;
  const std::int64_t now = std::time(nullptr);
  metrics::HaMetrics metrics;
  TlsPolicy policy(metrics);
  Settings settings;
  settings.cluster_id = "prod";
  settings.replica_id = "a";
  const auto use = [&](long until_s) {
    const TlsFiles files = files_of("a", ca_, {.names = "URI:ha:prod/a", .until_s = until_s});
    settings.tls_cert = files.cert;
    settings.tls_key = files.key;
    settings.tls_ca = files.ca;
    std::string wrong;
    if (settings.tls == TlsMode::kOff) {
      settings.tls = TlsMode::kRequire;
      EXPECT_EQ(policy.apply(settings), "");
    } else {
      EXPECT_TRUE(policy.reload(true, wrong)) << wrong;
    }
  };
  EXPECT_EQ(policy.certificate_ends(now), "");
  use(100 * kDay);
  EXPECT_EQ(policy.certificate_ends(now + 60 * kDay), "");
  EXPECT_THAT(policy.certificate_ends(now + 71 * kDay), HasSubstr("ends on 20"));
  EXPECT_EQ(policy.certificate_ends(now + 80 * kDay), "");
  EXPECT_THAT(policy.certificate_ends(now + 95 * kDay + 3600), HasSubstr("in 4 days"));
  EXPECT_EQ(policy.certificate_ends(now + 99 * kDay), "");
  EXPECT_THAT(policy.certificate_ends(now + 101 * kDay), HasSubstr("ended on 20"));
  EXPECT_EQ(policy.certificate_ends(now + 200 * kDay), "");
  use(100 * kDay);
  EXPECT_EQ(policy.certificate_ends(now), "");
  EXPECT_THAT(policy.certificate_ends(now + 300 * kDay), HasSubstr("ended on 20"));
}

TEST_F(Tls, CertificatesProveWhoBothSidesAre) {
  const auto a = make(files_of("a"), "a");
  const auto b = make(files_of("b", ca_, {"DNS:b.prod,DNS:b.prod.svc"}), "b");
  Pair pair = Tls::pair(*b, *a, "a");
  pair.client->write(std::as_bytes(std::span("early", 5)));
  pair.shake_hands();
  ASSERT_TRUE(pair.good()) << pair.client->failure().text << pair.server->failure().text;
  EXPECT_THAT(pair.client->proved().ids, ElementsAre("a"));
  EXPECT_THAT(pair.server->proved().ids, ElementsAre("b"));
}

// An authority may sign anything. What it signed is shown in the log.
TEST_F(Tls, ANameThatIsShownIsOneLine) {
  const auto a = make(files_of("a"), "a");
  const auto b = make(files_of("b", ca_, {"URI:ha:prod/b,DNS:x\x1b[2Jy"}), "b");
  Pair pair = Tls::pair(*b, *a, "a");
  pair.shake_hands();
  ASSERT_TRUE(pair.good());
  EXPECT_EQ(pair.server->proved().shown.find('\x1b'), std::string::npos)
      << pair.server->proved().shown;
}

TEST_F(Tls, BytesComeThroughInWhateverPieces) {
  const auto a = make(files_of("a"), "a");
  const auto b = make(files_of("b"), "b");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1500}, SIZE_MAX}) {
    Pair pair = Tls::pair(*b, *a, "a");
    pair.client->write(std::as_bytes(std::span("early", 5)));
    begin(*pair.client);
    std::string heard;
    while (!pair.client->output().empty() || !pair.server->output().empty()) {
      heard += carry(*pair.client, *pair.server, piece);
      carry(*pair.server, *pair.client, piece);
    }
    EXPECT_EQ(heard, "early") << piece;
    const std::string large(300'000, 'x');
    ASSERT_TRUE(pair.server->write(std::as_bytes(std::span(large.data(), large.size()))))
        << pair.server->failure().text;
    EXPECT_TRUE(carry(*pair.server, *pair.client, piece) == large)
        << piece << pair.client->failure().text;
  }
}

TEST_F(Tls, AnotherAuthorityIsRefusedAndBothSidesSayWhy) {
  Authority other("old-ca");
  const auto a = make(files_of("a"), "a");
  TlsFiles strange = files_of("b", other, {"URI:ha:prod/b"});
  strange.ca = write_file(dir_.path(), "both.crt", ca_.pem() + other.pem(), 0644);
  const auto b = make(strange, "b");
  Pair pair = Tls::pair(*b, *a, "a");
  pair.shake_hands();
  EXPECT_FALSE(pair.server->established());
  EXPECT_THAT(pair.server->failure().text, AllOf(HasSubstr("old-ca"), HasSubstr("'tls_ca'")));
  EXPECT_THAT(pair.client->failure().text,
              AllOf(HasSubstr("unknown ca"), HasSubstr("did not take what this node proved")));
}

TEST_F(Tls, ANodeElsewhereThanDialledIsRefused) {
  const auto a = make(files_of("a"), "a");
  const auto b = make(files_of("b"), "b");
  Pair pair = Tls::pair(*b, *a, "c");
  pair.shake_hands();
  EXPECT_THAT(pair.client->failure().text, AllOf(HasSubstr("ha:prod/a"), HasSubstr("'c'")));
  EXPECT_EQ(pair.client->failure().reason, core::Reason::kIdentity);
  EXPECT_FALSE(pair.client->established()) << "it is not the one that was meant";
}

// A peer with OpenSSL of its own, which checks nothing and shows whatever it was given.
class Stranger {
 public:
  explicit Stranger(const Authority::Issued* issued = nullptr)
      : context_(SSL_CTX_new(TLS_method())) {
    if (issued != nullptr) {
      BIO* bio = BIO_new_mem_buf(issued->certificate.data(), -1);
      X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
      SSL_CTX_use_certificate(context_, certificate);
      X509_free(certificate);
      BIO_free(bio);
      bio = BIO_new_mem_buf(issued->key.data(), -1);
      EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
      SSL_CTX_use_PrivateKey(context_, key);
      EVP_PKEY_free(key);
      BIO_free(bio);
    }
  }
  ~Stranger() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  SSL_CTX* context() { return context_; }

  // Shakes hands as a client, and says something.
  void meet(TlsSession& server) {
    ssl_ = SSL_new(context_);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
    for (int i = 0; i < 8; ++i) {
      char byte = 'x';
      if (SSL_is_init_finished(ssl_) != 0) SSL_write(ssl_, &byte, 1);
      SSL_read(ssl_, &byte, 1);
      char* data = nullptr;
      const long size = BIO_get_mem_data(SSL_get_wbio(ssl_), &data);
      std::vector<std::byte> bytes(static_cast<std::size_t>(size));
      if (size > 0) std::memcpy(bytes.data(), data, bytes.size());
      (void)BIO_reset(SSL_get_wbio(ssl_));
      server.feed(bytes);
      std::byte room[64];
      std::size_t got = 0;
      while (server.read(room, got) == TlsSession::Read::kBytes) {
      }
      const auto output = server.output();
      BIO_write(SSL_get_rbio(ssl_), output.data(), static_cast<int>(output.size()));
      server.sent(output.size());
    }
  }

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
};

// More than a record, or a read, takes.
TEST_F(Tls, AChainMayBeLong) {
  std::vector<std::unique_ptr<Authority>> chain;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "between-" + std::to_string(i);
    chain.push_back(std::make_unique<Authority>(name, chain.empty() ? ca_ : *chain.back()));
  }
  const TlsFiles long_one = files_of("b", *chain.back(), {"URI:ha:prod/b"});
  ASSERT_GT(std::filesystem::file_size(long_one.cert), 20'000U);
  const auto a = make(files_of("a"), "a");
  const auto b = make(long_one, "b");
  for (const std::size_t piece : {std::size_t{1}, std::size_t{16'384}}) {
    Pair calls = Tls::pair(*b, *a, "a");
    calls.shake_hands(piece);
    ASSERT_TRUE(calls.good()) << calls.client->failure().text << calls.server->failure().text;
    EXPECT_THAT(calls.server->proved().ids, ElementsAre("b"));
    Pair called = Tls::pair(*a, *b, "b");
    called.shake_hands(piece);
    EXPECT_TRUE(called.good());
  }
  const Authority::Issued alone = chain.back()->issue("b", {"URI:ha:prod/b"});
  Stranger stranger(&alone);  // shows the first certificate of a file only
  const auto server = a->accept();
  stranger.meet(*server);
  EXPECT_THAT(server->failure().text, HasSubstr("between-39"));
}

TEST_F(Tls, CertificatesThatAreNotGoodAreRefusedInWords) {
  struct Case {
    CertificateWish wish;
    std::string says;
  };
  const std::vector<Case> cases = {
      {{"URI:ha:prod/b", "serverAuth,clientAuth", -7200, -3600}, "expired"},
      {{"URI:ha:prod/b", "serverAuth,clientAuth", 3600, 7200}, "not valid before"},
      {{"URI:ha:prod/b", "serverAuth"}, "not good"},
      {{""}, "no node of this cluster"},
      {{"IP:127.0.0.1"}, "no node of this cluster"},
      {{"URI:ha:test/b"}, "no node of this cluster"},
      {{"URI:ha:prod/"}, "no node of this cluster"},
      {{"URI:ha:prod/b/c"}, "no node of this cluster"},
      {{"DNS:b.prod.example"}, "no node of this cluster"},
      {{"DNS:prod"}, "no node of this cluster"},
  };
  const auto a = make(files_of("a"), "a");
  for (const Case& one : cases) {
    const Authority::Issued issued = ca_.issue("b.prod", one.wish);
    Stranger stranger(&issued);
    const auto server = a->accept();
    stranger.meet(*server);
    EXPECT_FALSE(server->established()) << one.wish.names;
    EXPECT_THAT(server->failure().text, HasSubstr(one.says)) << one.wish.names;
  }
  const Authority::Issued good = ca_.issue("x", {"URI:ha:prod/b"});
  Stranger member(&good);
  const auto server = a->accept();
  member.meet(*server);
  EXPECT_TRUE(server->established()) << server->failure().text;
}

TEST_F(Tls, WhoShowsNothingIsRefused) {
  const auto certificates = make(files_of("a"), "a");
  const auto keys = make(key_file("a", kKey1), "a");
  for (const auto& context : {certificates, keys}) {
    Stranger stranger;
    const auto server = context->accept();
    stranger.meet(*server);
    EXPECT_FALSE(server->established());
    EXPECT_NE(server->failure().text, "");
  }
}

// Garbage that begins like TLS must not be blamed on the key file.
TEST_F(Tls, GarbageIsCalledThat) {
  const auto server = make(key_file("a", kKey1), "a")->accept();
  std::vector<std::byte> garbage(300, std::byte{'A'});
  garbage[0] = std::byte{0x16};
  garbage[1] = std::byte{0x03};
  server->feed(garbage);
  std::byte room[64];
  std::size_t size = 0;
  EXPECT_EQ(server->read(room, size), TlsSession::Read::kFailed);
  EXPECT_THAT(server->failure().text, ::testing::Not(HasSubstr("tls_psk_file")));
}

TEST_F(Tls, OlderVersionsAndOtherProtocolsAreRefused) {
  const auto a = make(files_of("a"), "a");
  const Authority::Issued issued = ca_.issue("b", {"URI:ha:prod/b"});
  {
    Stranger old(&issued);
    SSL_CTX_set_max_proto_version(old.context(), TLS1_2_VERSION);
    const auto server = a->accept();
    old.meet(*server);
    EXPECT_THAT(server->failure().text, HasSubstr("unsupported protocol"));
  }
  {
    Stranger browser(&issued);
    const unsigned char http[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(browser.context(), http, sizeof http);
    const auto server = a->accept();
    browser.meet(*server);
    EXPECT_FALSE(server->established());
    EXPECT_THAT(server->failure().text, HasSubstr("no application protocol"));
  }
}

TEST_F(Tls, RevokedOnesAreRefusedAndThrownOut) {
  const auto before = make(files_of("a"), "a");
  const auto b = make(files_of("b"), "b");
  Pair open = Tls::pair(*b, *before, "a");
  open.shake_hands();
  ASSERT_TRUE(open.good());
  EXPECT_EQ(open.server->check_again(*before), "");

  TlsFiles files = files_of("a");
  files.crl = write_file(dir_.path(), "ca.crl", ca_.revocations({serials_["b"]}), 0644);
  const auto after = make(files, "a");
  EXPECT_THAT(open.server->check_again(*after), HasSubstr("revoked"));
  Pair again = Tls::pair(*b, *after, "a");
  again.shake_hands();
  EXPECT_THAT(again.server->failure().text, HasSubstr("revoked"));

  files.crl = write_file(dir_.path(), "ca.crl", ca_.revocations({}, -60), 0644);
  const auto overdue = make(files, "a");
  EXPECT_EQ(open.server->check_again(*overdue), "") << "a list that is overdue locks nobody out";
  files.crl = write_file(dir_.path(), "ca.crl", ca_.revocations({serials_["b"]}, -60), 0644);
  const auto still = make(files, "a");
  EXPECT_THAT(open.server->check_again(*still), HasSubstr("revoked")) << "and still counts";
  files.crl = write_file(dir_.path(), "ca.crl", ca_.revocations({serials_["a"]}, -60), 0644);
  EXPECT_THAT(refused(files), HasSubstr("revoked")) << "of this node too";
  Authority other("other-ca");
  files.crl = write_file(dir_.path(), "ca.crl", other.revocations({}), 0644);
  EXPECT_THAT(refused(files), HasSubstr("CRL")) << "a list of another authority says nothing";
}

// ---- a key file ------------------------------------------------------------------------------

TEST_F(Tls, AKeyFileProvesWhoBothSidesAre) {
  const auto a = make(key_file("a", kKey1), "a");
  const auto b = make(key_file("b", kKey1), "b");
  Pair pair = Tls::pair(*b, *a, "a");
  pair.shake_hands();
  ASSERT_TRUE(pair.good()) << pair.client->failure().text << pair.server->failure().text;
  EXPECT_THAT(pair.client->proved().ids, ElementsAre("a"));
  EXPECT_THAT(pair.server->proved().ids, ElementsAre("b"));
  Pair unnamed = Tls::pair(*b, *a, "");
  unnamed.shake_hands();
  ASSERT_TRUE(unnamed.good());
  EXPECT_TRUE(unnamed.client->proved().any);
}

TEST_F(Tls, AnotherKeyClusterOrNodeIsRefused) {
  const auto a = make(key_file("a", kKey1), "a");
  const auto fails = [&](TlsContext& client, const std::string& dialled) {
    Pair pair = Tls::pair(client, *a, dialled);
    pair.shake_hands();
    EXPECT_FALSE(pair.server->established());
    return pair.server->failure().text;
  };
  EXPECT_THAT(fails(*make(key_file("b", kKey2), "b"), "a"), HasSubstr("is not in the file"));
  EXPECT_THAT(fails(*make(key_file("b", kKey1), "b", "test"), "a"), HasSubstr("another cluster"));
  EXPECT_THAT(fails(*make(key_file("b", kKey1), "b"), "c"), HasSubstr("to reach 'c'"));
  // What a node says, played back to itself, opens nothing.
  EXPECT_THAT(fails(*a, "b"), HasSubstr("which is this node"));
  EXPECT_THAT(fails(*a, ""), HasSubstr("which is this node"));
  EXPECT_THAT(fails(*make(files_of("b"), "b"), "a"), HasSubstr("it offered no key"));
}

TEST_F(Tls, KeysAreReplacedOneNodeAfterTheOther) {
  const std::string one = kKey1;
  const std::string two = kKey2;
  const auto works = [&](const std::string& client, const std::string& server) {
    const auto a = make(key_file("a", server), "a");
    const auto b = make(key_file("b", client), "b");
    Pair pair = Tls::pair(*b, *a, "a");
    pair.shake_hands();
    return pair.good();
  };
  EXPECT_TRUE(works(one, one + two)) << "it is appended everywhere";
  EXPECT_TRUE(works(two + one, one + two)) << "it is put first, here and there";
  EXPECT_TRUE(works(one + two, two + one));
  EXPECT_TRUE(works(two, two + one)) << "the old one is removed";
  EXPECT_FALSE(works(two, one));

  const auto a = make(key_file("a", one + two), "a");
  const auto b = make(key_file("b", one), "b");
  Pair pair = Tls::pair(*b, *a, "a");
  pair.shake_hands();
  EXPECT_EQ(pair.server->check_again(*make(key_file("a", one + two), "a")), "");
  EXPECT_THAT(pair.server->check_again(*make(key_file("a", two), "a")), HasSubstr("was removed"));
}

TEST_F(Tls, KeysChangeWhileBytesFlow) {
  const auto a = make(key_file("a", kKey1), "a", "prod", 100'000);
  const auto b = make(key_file("b", kKey1), "b");
  Pair pair = Tls::pair(*b, *a, "a");
  pair.shake_hands();
  const std::string piece(30'000, 'x');
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(pair.server->write(std::as_bytes(std::span(piece.data(), piece.size()))));
    ASSERT_EQ(carry(*pair.server, *pair.client), piece) << i;
  }
}

// ---- files -----------------------------------------------------------------------------------

TEST_F(Tls, FilesThatAreNotGoodAreRefusedByName) {
  const TlsFiles good = files_of("a");
  const auto with = [&](std::string TlsFiles::*which, const std::string& path) {
    TlsFiles files = good;
    files.*which = path;
    return files;
  };
  const std::string absent = dir_.path() + "/absent";
  const std::string empty = write_file(dir_.path(), "empty", "");
  const std::string garbage = write_file(dir_.path(), "garbage", "-----BEGIN nothing\n\x01\x02");
  const std::string huge = write_file(dir_.path(), "huge", std::string(1100000, 'x'));
  const std::string fifo = dir_.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& [which, option] :
       {std::pair{&TlsFiles::cert, "tls_cert"}, std::pair{&TlsFiles::key, "tls_key"},
        std::pair{&TlsFiles::ca, "tls_ca"}, std::pair{&TlsFiles::crl, "tls_crl"}}) {
    for (const std::string& path : {absent, empty, garbage, huge, dir_.path(), fifo}) {
      EXPECT_THAT(refused(with(which, path)), AllOf(HasSubstr(option), HasSubstr(path)));
    }
  }
  const TlsFiles other = files_of("b");
  EXPECT_THAT(refused(with(&TlsFiles::key, other.key)), HasSubstr("does not belong"));
  EXPECT_THAT(refused(with(&TlsFiles::cert, other.cert)), HasSubstr("ha:prod/a"));
  ASSERT_EQ(::chmod(good.key.c_str(), 0604), 0);
  EXPECT_THAT(refused(good), AllOf(HasSubstr("0604"), HasSubstr("chmod 600")));

  EXPECT_THAT(refused(files_of("a", ca_, {"URI:ha:prod/a", "serverAuth"})),
              HasSubstr("clientAuth"));
  EXPECT_THAT(refused(files_of("a", ca_, {"URI:ha:prod/a", "serverAuth,clientAuth", -7200, -60})),
              HasSubstr("expired"));
  Authority other_ca("other-ca");
  EXPECT_THAT(refused(files_of("a", other_ca, {"URI:ha:prod/a"})), HasSubstr("'tls_ca'"));
}

TEST_F(Tls, KeyFilesThatAreNotGoodAreRefusedByLine) {
  const std::string key(64, 'a');
  EXPECT_THAT(refused(key_file("a", "")), HasSubstr("is empty"));
  EXPECT_THAT(refused(key_file("a", "\n# none\n")), HasSubstr("holds no key"));
  EXPECT_THAT(refused(key_file("a", key + "\nhunter2\n")), HasSubstr("line 2"));
  EXPECT_THAT(refused(key_file("a", key.substr(1) + "\n")), HasSubstr("line 1"));
  EXPECT_THAT(refused(key_file("a", key + "a\n")), HasSubstr("line 1"));
  EXPECT_THAT(refused(key_file("a", std::string(63, 'a') + "g")), HasSubstr("line 1"));
  EXPECT_THAT(refused(key_file("a", std::string(64, '\0'))), HasSubstr("line 1"));
  TlsFiles open = key_file("a", key);
  ASSERT_EQ(::chmod(open.psk.c_str(), 0640), 0);
  EXPECT_THAT(refused(open), HasSubstr("0640"));
  EXPECT_TRUE(make(key_file("a", "# a comment\r\n\r\n" + key + "\r\n"), "a"));
  EXPECT_TRUE(make(key_file("a", key), "a")) << "no newline at the end";
}

}  // namespace
}  // namespace ha::net
