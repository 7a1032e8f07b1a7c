// SPDX-License-Identifier: Apache-2.0
// Asio's and Beast's own code, compiled here and nowhere else in the program.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
