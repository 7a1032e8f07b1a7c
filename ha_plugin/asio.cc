// Asio and Boost.JSON, compiled once for the plugin.
#include <boost/asio/impl/src.hpp>
#include <boost/json/src.hpp>
