// SPDX-License-Identifier: Apache-2.0
// Boost.JSON's own code, compiled here and nowhere else in the program.
#include <boost/json/src.hpp>
