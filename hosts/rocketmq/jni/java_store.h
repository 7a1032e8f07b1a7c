// SPDX-License-Identifier: Apache-2.0
// StoreBridge.java as native code calls it. What Java throws is thrown as std::runtime_error.
//
// Threads: those that the JVM knows; see StoreBridge.java for which call from which.
#pragma once

#include <jni.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "ha/plugin.h"

namespace ha::rocketmq {

class JavaStore {
 public:
  JavaStore(JNIEnv* env, jobject bridge);
  ~JavaStore();
  JavaStore(const JavaStore&) = delete;
  JavaStore& operator=(const JavaStore&) = delete;

  // record: an end of a record, when asked for.
  ha_bounds bounds(std::int64_t* record = nullptr);
  std::string path(std::int64_t offset);  // "": there is none
  std::int64_t prepare(std::int64_t offset);
  void commit(std::int64_t end);
  void truncate(std::int64_t new_end);
  bool reset(std::int64_t new_min);
  void confirm(std::int64_t offset);
  void role_changed(const ha_role_report& report);
  void completed(std::int32_t slot, std::int32_t status);
  void metadata(std::string_view state);
  void log(std::int32_t level, std::string_view text);

 private:
  jobject bridge_ = nullptr;
  std::mutex mutex_;  // of the two below
  std::int64_t longs_[6] = {};
  jobject buffer_ = nullptr;  // over longs_
  jmethodID bounds_, path_, prepare_, commit_, truncate_, reset_, confirm_, role_changed_;
  jmethodID completed_, metadata_, log_;
};

}  // namespace ha::rocketmq
