// SPDX-License-Identifier: Apache-2.0
// Boost.JSON's own code, in a unit of its own: where another archive has the same unit the linker
// takes only one of them.
#include <boost/json/src.hpp>
