// SPDX-License-Identifier: Apache-2.0
// A small file beside the log, and its changes since it was written: PATH and PATH.journal. So a
// change costs what it touches, and not what the file holds.
//
// The journal has a line for each change, with a checksum, and lines that say which content of PATH
// the lines after them change:
//
//   5c0f6a2e = 9d3b1c77 1834          the CRC-32 and the size of that content
//   1f0a2b3c + {"offsetTable":...}    a change
//
// What counts after a kill or a loss of power: PATH, and the changes behind the last line that
// names its content. A line is on stable storage before its change is answered. Before PATH is
// replaced, a line names the new content, so at each moment either PATH is the old one and all of
// the changes count, or it is the new one, which has them, and none does.
//
// A journal that does not name PATH's content is not believed: someone has put another PATH there.
// It is moved aside, as a file that cannot be understood is. A line that is not whole, and all that
// follow it, are left out with a WARN. A kill can leave one at the end, which was not answered.
// With more behind it the disk or an editor is to blame, and the journal is kept aside.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "store/error.h"
#include "store/file.h"

namespace stub {

class JournaledFile {
 public:
  // "" or what is wrong.
  using Take = std::function<std::string(std::string_view)>;

  explicit JournaledFile(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }

  // Gives the content and then each change, in order. Damage is handled as in side_file.h.
  // `without` and `without_changes` say what follows when the one and the other are moved aside.
  // Once, before anything else.
  std::optional<Error> read(const std::string& without, const Take& content,
                            const std::string& without_changes, const Take& change);

  // The changes have outgrown the content, or none may be appended: replace it.
  bool due() const;
  // REQUIRES !due(). Text without a newline. Durable when it returns. After an error it may count
  // or not, until the content is replaced.
  std::optional<Error> append(std::string_view change);
  // The new content has all changes, and no journal is left. After an error it counts or not.
  std::optional<Error> replace(std::string_view content);
  // Moves both aside, where they can be used again, and says where.
  Result<std::string> set_aside(const std::string& why);
  // A journal lies there. An older version and RocketMQ do not look at it.
  bool has_journal() const { return has_journal_; }

 private:
  std::string journal_path() const { return path_ + ".journal"; }
  std::string take_lines(std::string_view text, const Take& change);
  void name(std::string_view content);
  std::optional<Error> open_journal();
  std::optional<Error> append_line(const std::string& line);

  const std::string path_;
  std::string name_;             // the line that names the content of PATH; "" = that is not known
  std::int64_t most_bytes_ = 0;  // of the journal
  bool has_journal_ = false;
  bool damaged_ = false;  // by more than a kill: it is moved aside, and not removed
  store::Descriptor journal_;
  std::int64_t journal_bytes_ = 0;
};

}  // namespace stub
