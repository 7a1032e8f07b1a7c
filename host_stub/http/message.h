// SPDX-License-Identifier: Apache-2.0
// Between HTTP messages as Beast has them and the values of exchange.h. No sockets here.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <string>
#include <variant>

#include "http/exchange.h"

namespace stub::http {

using Message = boost::beast::http::request<boost::beast::http::string_body>;

// The answer to a header that asks for something this server does not do, before the body is read:
// encodings of the body, charsets of JSON, expectations, fields that are missing or given twice.
// The body's end may be unknown then, so the connection has to end after it.
std::optional<Response> refuse_header(const Message::header_type& header);

// The request, or the answer to one whose target is not a path. HEAD becomes GET.
std::variant<Request, Response> to_request(Message message);

// Adds an answer as bytes. head: the request was HEAD, so the body stays here.
void append_response(std::string& out, const Response& response, bool keep_alive, bool head);

}  // namespace stub::http
