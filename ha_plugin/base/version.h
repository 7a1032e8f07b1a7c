// SPDX-License-Identifier: Apache-2.0
// What the plugin calls itself; the version comes from CMakeLists.txt.
#pragma once

namespace ha {

inline constexpr const char* kPluginName = "ha_plugin";
inline constexpr const char* kPluginVersion = HA_PLUGIN_VERSION;

}  // namespace ha
