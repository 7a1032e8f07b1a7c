// SPDX-License-Identifier: Apache-2.0
// The file of tokens: what is taken, what is refused and in which words, and how it changes.

#include "http/token_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "http/secret_file.h"

using namespace std::string_literals;

namespace stub::test {
namespace {

using http::TokenFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kFirst = "first-token-0123456789";
const std::string kSecond = "second-token-0123456789";

class TokenFiles : public ::testing::Test {
 protected:
  std::string path() const { return file_.path(); }
  void write(const std::string& text, mode_t mode = 0600) { file_.write(text, mode); }
  std::string fault_of(const std::string& text) {
    write(text);
    return fault();
  }
  std::string fault() const {
    const auto read = http::read_tokens(path(), "token-file");
    const auto* error = std::get_if<Error>(&read);
    return error != nullptr ? error->text : "(accepted)";
  }
  http::Tokens tokens_of(const std::string& text) {
    write(text);
    auto read = http::read_tokens(path(), "token-file");
    if (const auto* error = std::get_if<Error>(&read)) return {error->text};
    return std::get<http::Tokens>(std::move(read));
  }
  std::unique_ptr<TokenFile> open() {
    auto opened = TokenFile::open(path(), "token-file");
    return std::get<std::unique_ptr<TokenFile>>(std::move(opened));
  }
  // So that only the file's stamp can tell that it changed.
  void make_old() {
    const timespec long_ago[2] = {{1'000'000, 0}, {1'000'000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path().c_str(), long_ago, 0), 0);
  }

  SecretFile file_;
};

TEST_F(TokenFiles, HoldOneTokenALine) {
  EXPECT_THAT(tokens_of(kFirst), ElementsAre(kFirst));
  EXPECT_THAT(tokens_of(kFirst + "\n"), ElementsAre(kFirst));
  EXPECT_THAT(tokens_of("\n\n" + kFirst + "\n\n" + kSecond + "\n\n"), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(tokens_of(kFirst + "\r\n\r\n" + kSecond + "\r\n"), ElementsAre(kFirst, kSecond));
  EXPECT_THAT(tokens_of(" \t\n" + kFirst + "\n  \n"), ElementsAre(kFirst));
  EXPECT_THAT(tokens_of("#!~/=+-._\"'\\{}0123\n"), ElementsAre("#!~/=+-._\"'\\{}0123"));
  EXPECT_THAT(tokens_of(std::string(16, 'x')), ElementsAre(std::string(16, 'x')));
  EXPECT_THAT(tokens_of(std::string(4096, 'x')), ElementsAre(std::string(4096, 'x')));
}

TEST_F(TokenFiles, AreRefusedInWords) {
  EXPECT_THAT(fault_of(""), HasSubstr("token-file: '" + path() + "' holds no token"));
  EXPECT_THAT(fault_of("\n \r\n\t\n"), HasSubstr("holds no token"));
  EXPECT_THAT(fault_of(kFirst + "\nshort\n"),
              HasSubstr("line 2 is 5 bytes long; a token has at least 16"));
  EXPECT_THAT(fault_of(std::string(15, 'x')), HasSubstr("line 1 is 15 bytes long"));
  EXPECT_THAT(fault_of(std::string(4097, 'x')), HasSubstr("a token has at most 4096"));
  EXPECT_THAT(fault_of(std::string(65'537, '\n')), HasSubstr("is longer than 65536 bytes"));
}

TEST_F(TokenFiles, TakePrintableAsciiOnlyAndNeverShowALine) {
  for (const auto& bad :
       {"secret secret secret"s, " secretsecretsecret"s, "secretsecretsecret "s,
        "secretsecret\0secret"s, "secretsecret\x01secret"s, "secretsecret\x7Fsecret"s,
        "secretsecrets\xE9"s, "secretsecr\xC3\xA9t"s, "\xEF\xBB\xBFsecretsecretsecret"s,
        "secretsecret\rsecret"s, "s\0e\0c\0r\0e\0t\0s\0e\0c\0r\0e\0t\0"s, "secret"s,
        "secret" + std::string(5000, 'x')}) {
    const auto fault = fault_of(bad + "\n");
    EXPECT_THAT(fault, HasSubstr("is not a token file: line 1 ")) << bad;
    EXPECT_THAT(fault.substr(fault.find("line 1")), Not(HasSubstr("secret"))) << bad;
  }
}

TEST_F(TokenFiles, AreTheirOwnersAlone) {
  for (const mode_t open : {0640, 0604, 0644, 0660, 0666, 0620, 0601, 0777}) {
    write(kFirst, open);
    EXPECT_THAT(fault(), HasSubstr("is open to others than its owner (mode 0")) << open;
    EXPECT_THAT(fault(), HasSubstr("run chmod 600 on it")) << open;
  }
  for (const mode_t own : {0600, 0400, 0700}) {
    write(kFirst, own);
    EXPECT_EQ(fault(), "(accepted)") << own;
  }
}

TEST_F(TokenFiles, AreRegularFiles) {
  file_.remove();
  EXPECT_THAT(fault(),
              HasSubstr("cannot read '" + path() + "': No such file or directory (create"));
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  EXPECT_THAT(fault(), HasSubstr("is a pipe; give a regular file"));  // and nobody waits for it
  file_.remove();
  ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
  EXPECT_THAT(fault(), HasSubstr("is a directory; give a regular file"));
  ASSERT_EQ(::rmdir(path().c_str()), 0);
  ASSERT_EQ(::symlink("/dev/zero", path().c_str()), 0);
  EXPECT_THAT(fault(), HasSubstr("is a device; give a regular file"));
  file_.remove();
  ASSERT_EQ(::symlink(path().c_str(), path().c_str()), 0);
  EXPECT_THAT(fault(), HasSubstr("Too many levels of symbolic links"));
}

TEST_F(TokenFiles, MayBeReachedBySymlink) {
  SecretFile target;
  target.write(kFirst);
  ASSERT_EQ(::symlink(target.path().c_str(), path().c_str()), 0);
  EXPECT_EQ(fault(), "(accepted)");
  target.write(kFirst, 0644);
  EXPECT_THAT(fault(), HasSubstr("mode 0644"));
}

TEST_F(TokenFiles, AGigabyteIsNotRead) {
  write("");
  ASSERT_EQ(::truncate(path().c_str(), off_t{1} << 30), 0);
  EXPECT_THAT(fault(), HasSubstr("is longer than 65536 bytes"));
}

TEST_F(TokenFiles, AUnreadableFileIsSaidToBeThat) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  write(kFirst, 0200);
  EXPECT_THAT(fault(), HasSubstr("Permission denied"));
}

TEST_F(TokenFiles, OnlyWholeTokensAreHeld) {
  write(kFirst + "\n" + kSecond);
  const auto file = open();
  EXPECT_TRUE(file->holds(kFirst));
  EXPECT_TRUE(file->holds(kSecond));
  for (const auto& other : {""s, kFirst.substr(1), kFirst.substr(0, kFirst.size() - 1),
                            kFirst + " ", kFirst + kFirst, kFirst + "\n" + kSecond, "\0"s,
                            kFirst + "\0"s, "First-token-0123456789"s, std::string(65'536, 'x')}) {
    EXPECT_FALSE(file->holds(other)) << other.substr(0, 100);
  }
}

TEST_F(TokenFiles, AreReadAgainWhenTheyChange) {
  write(kFirst);
  make_old();
  const auto file = open();
  ASSERT_TRUE(file->holds(kFirst));
  write(kFirst + "\n" + kSecond);
  EXPECT_TRUE(file->holds(kFirst));
  EXPECT_TRUE(file->holds(kSecond));
  write(kSecond);
  EXPECT_FALSE(file->holds(kFirst));
  EXPECT_TRUE(file->holds(kSecond));
}

// As editors and Kubernetes do: another file takes the name.
TEST_F(TokenFiles, AReplacedFileCountsWhateverItsTimes) {
  write(kFirst);
  make_old();
  const auto file = open();
  SecretFile next;
  next.write(std::string(kFirst.size(), 'n'));
  const timespec long_ago[2] = {{1'000'000, 0}, {1'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, next.path().c_str(), long_ago, 0), 0);
  ASSERT_EQ(::rename(next.path().c_str(), path().c_str()), 0);
  EXPECT_TRUE(file->holds(std::string(kFirst.size(), 'n')));
  EXPECT_FALSE(file->holds(kFirst));
}

// The kernel's clock for a file's times stands still for milliseconds.
TEST_F(TokenFiles, TwoChangesWithinATickAreBothSeen) {
  write(kFirst);
  const auto file = open();
  for (int i = 0; i < 50; ++i) {
    const std::string next = "token-number-" + std::to_string(100'000 + i);
    write(next);
    ASSERT_TRUE(file->holds(next)) << i;
  }
}

TEST_F(TokenFiles, ABadChangeKeepsTheOldTokensAndIsSaidOnce) {
  write(kFirst);
  const auto file = open();
  testing::internal::CaptureStdout();  // spdlog's default logger
  write("secret");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(file->holds(kFirst));
  write(kSecond, 0644);
  EXPECT_TRUE(file->holds(kFirst));
  EXPECT_FALSE(file->holds(kSecond));
  file_.remove();
  EXPECT_TRUE(file->holds(kFirst));
  EXPECT_TRUE(file->holds(kFirst));
  write(kSecond);
  EXPECT_TRUE(file->holds(kSecond));
  EXPECT_FALSE(file->holds(kFirst));
  const std::string log = testing::internal::GetCapturedStdout();
  const auto count = [&](const std::string& text) {
    std::size_t found = 0;
    for (auto at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("line 1 is 6 bytes long; a token has at least 16; the tokens that it had before"),
            1u)
      << log;
  EXPECT_EQ(count("mode 0644"), 1u) << log;
  EXPECT_EQ(count("No such file"), 1u) << log;
  EXPECT_EQ(count("was read again and holds 1 token now"), 1u) << log;
  for (const auto& secret : {kFirst, kSecond, "'secret'"s}) EXPECT_EQ(count(secret), 0u) << log;
}

}  // namespace
}  // namespace stub::test
