// SPDX-License-Identifier: Apache-2.0
// Options whose values are more than a number, a choice, a name or a path: how their text is read.
//
// Each returns "", and the setting has the value; or what is wrong with the text, and nothing has
// changed.
#pragma once

#include <string>
#include <string_view>

#include "ha_plugin/config/settings.h"

namespace ha {

std::string apply_listen(Settings& s, std::string_view v);
std::string apply_allow(Settings& s, std::string_view v);
std::string apply_metrics_listen(Settings& s, std::string_view v);
std::string apply_accept(Settings& s, std::string_view v);
std::string apply_replicas(Settings& s, std::string_view v);
std::string apply_coordinator(Settings& s, std::string_view v);
std::string apply_prefix(Settings& s, std::string_view v);
std::string apply_state_dir(Settings& s, std::string_view v);
std::string apply_tls_reload(Settings& s, std::string_view v);
std::string ask_for_member(Settings& s, std::string_view v);
std::string ask_for_no_member(Settings& s, std::string_view v);
std::string ask_for_switchover(Settings& s, std::string_view v);
std::string ask_for_pause(Settings& s, std::string_view v);

}  // namespace ha
