// SPDX-License-Identifier: Apache-2.0
// Boost.JSON, compiled once for the plugin. Asio is in ../metrics, which serves with it.
#include <boost/json/src.hpp>
