// SPDX-License-Identifier: Apache-2.0
// Boost.URL's own code, compiled here and nowhere else in the program.
#include <boost/url/src.hpp>
