// SPDX-License-Identifier: Apache-2.0
// For messages about a name that is not known: the known one that was probably meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stub::cli {

// The candidate with the fewest edits to `name`; empty when the best differs in more than a third
// of the name's letters, which is not a slip.
std::string nearest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace stub::cli
