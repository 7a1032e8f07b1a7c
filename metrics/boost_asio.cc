// SPDX-License-Identifier: Apache-2.0
// Asio, compiled here for the plugin and everything else that links this library.
#include <boost/asio/impl/src.hpp>
