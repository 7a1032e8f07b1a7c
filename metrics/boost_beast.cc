// SPDX-License-Identifier: Apache-2.0
// Beast's own code, for scrape_server.cc.
#include <boost/beast/src.hpp>
