// SPDX-License-Identifier: Apache-2.0
#include "http/message.h"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/url/parse.hpp>

#include "http/errors.h"
#include "http/json_body.h"
#include "http/text.h"

namespace stub::http {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Header = Message::header_type;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

Response bad_request(std::string_view text) { return error_response(400, "BAD_REQUEST", text); }

// Two different values would leave it to chance which one counts, here and in a proxy before this.
std::optional<Response> refuse_repeated(const Header& header) {
  constexpr std::array kOnce = {http::field::host, http::field::content_type, http::field::expect,
                                http::field::content_length, http::field::authorization};
  for (const auto field : kOnce) {
    if (header.count(field) > 1) {
      return bad_request("the header has the field " + std::string(view(http::to_string(field))) +
                         " more than once; send it once");
    }
  }
  if (header.version() >= 11 && header.count(http::field::host) == 0) {
    return bad_request("the header has no field Host, which HTTP/1.1 asks for");
  }
  return std::nullopt;
}

// The bytes of a body are the message, so one that is packed would be stored packed.
std::optional<Response> refuse_encoding(const Header& header) {
  for (const auto& field : header) {
    if (field.name() == http::field::transfer_encoding) {
      if (header.version() < 11) {
        return bad_request("HTTP/1.0 has no Transfer-Encoding; send Content-Length instead");
      }
      if (!beast::iequals(field.value(), "chunked")) {
        return error_response(501, "UNSUPPORTED",
                              "Transfer-Encoding " + in_quotes(view(field.value())) +
                                  " is not supported; send the body as it is, or chunked");
      }
    }
    if (field.name() == http::field::content_encoding &&
        !beast::iequals(field.value(), "identity")) {
      auto refused = error_response(415, "UNSUPPORTED",
                                    "Content-Encoding " + in_quotes(view(field.value())) +
                                        " is not supported; send the body as it is");
      refused.field = "Accept-Encoding: identity";
      return refused;
    }
  }
  return std::nullopt;
}

// Fields of proxies, and those with which a browser says that a page asks. A client of this API
// sends none of them.
std::string relay_of(const Header& header) {
  for (const auto* name : {"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via",
                           "Origin", "Referer", "Sec-Fetch-Site"}) {
    if (header.find(name) != header.end()) return name;
  }
  return "";
}

std::optional<Response> refuse_charset(const Header& header) {
  const auto type = header[http::field::content_type];
  if (!is_json(view(type))) return std::nullopt;
  const auto semicolon = type.find(';');
  if (semicolon == beast::string_view::npos) return std::nullopt;
  for (const auto& parameter : http::param_list(type.substr(semicolon))) {
    if (beast::iequals(parameter.first, "charset") && !beast::iequals(parameter.second, "utf-8") &&
        !beast::iequals(parameter.second, "utf8") &&
        !beast::iequals(parameter.second, "us-ascii")) {
      return error_response(
          415, "UNSUPPORTED",
          "the charset of the JSON is " + in_quotes(view(parameter.second)) + "; send it as utf-8");
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Response> refuse_header(const Header& header) {
  if (auto refused = refuse_repeated(header)) return refused;
  if (auto refused = refuse_encoding(header)) return refused;
  if (auto refused = refuse_charset(header)) return refused;
  const auto expect = header[http::field::expect];
  if (header.count(http::field::expect) > 0 && !beast::iequals(expect, "100-continue")) {
    return error_response(
        417, "EXPECTATION_FAILED",
        "Expect " + in_quotes(view(expect)) + " is not supported; send 100-continue or nothing");
  }
  return std::nullopt;
}

std::variant<Request, Response> to_request(Message message) {
  Request request;
  request.method = view(message.method_string());
  if (request.method == "HEAD") request.method = "GET";
  request.target = view(message.target());
  request.content_type = view(message[http::field::content_type]);
  if (const auto field = message.find(http::field::authorization); field != message.end()) {
    request.authorization.emplace(view(field->value()));
  }
  request.relayed_by = relay_of(message);
  request.body = std::move(message.body());
  auto target = boost::urls::parse_origin_form(request.target);
  // A whole URL, as a proxy is sent one, means its path here.
  // Boost.URL asserts on some targets that only begin like one, such as "http:\xE5".
  if (request.target.starts_with("http://"))
    target = boost::urls::parse_absolute_uri(request.target);
  if (!target || (target->has_scheme() && target->scheme() != "http")) {
    return bad_request("the request target " + in_quotes(request.target) +
                       " is not a path with a query, nor an http URL");
  }
  for (const auto segment : target->segments()) request.segments.emplace_back(segment);
  for (const auto parameter : target->params()) {
    if (parameter.key.empty() && !parameter.has_value) continue;  // "?" or "&" and nothing else
    request.query.emplace_back(parameter.key, parameter.value);
  }
  return request;
}

void append_response(std::string& out, const Response& response, bool keep_alive, bool head) {
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  out.append(view(http::obsolete_reason(static_cast<http::status>(response.status))));
  out.append("\r\nContent-Type: ").append(response.content_type);
  out.append("\r\nContent-Length: ").append(std::to_string(response.body.size()));
  if (!response.field.empty()) out.append("\r\n").append(response.field);
  if (!keep_alive) out.append("\r\nConnection: close");
  out.append("\r\n\r\n");
  if (!head) out.append(response.body);
}

}  // namespace stub::http
