// SPDX-License-Identifier: Apache-2.0
// The small files beside the log. One that cannot be understood must not keep a broker down: what
// it said is worth less than the log.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "store/error.h"

namespace stub {

// Gives the file's content to `take`, which returns "" or what is wrong with it: "has no object
// 'x'". Such a file is moved to PATH.bad-<Unix time>, with an ERROR that names both and says what
// follows: `without` is "every group starts again". The file may be absent. An Error is the
// system's: a file that may not be read may still be a good one.
std::optional<Error> read_side_file(const std::string& path, const std::string& without,
                                    const std::function<std::string(std::string_view)>& take);

}  // namespace stub
