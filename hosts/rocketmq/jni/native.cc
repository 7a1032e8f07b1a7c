// SPDX-License-Identifier: Apache-2.0
// The functions of Native.java.
#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <type_traits>

#include "hosts/rocketmq/jni/broker.h"
#include "hosts/rocketmq/jni/jvm.h"

namespace {

using ha::rocketmq::Broker;
using ha::rocketmq::Completions;
using ha::rocketmq::to_bytes;
using ha::rocketmq::to_java;
using ha::rocketmq::to_text;

Broker& at(jlong handle) { return *std::bit_cast<Broker*>(handle); }

// No C++ exception crosses into Java: it is thrown there as HaException.
template <class Fn>
auto guarded(JNIEnv* env, Fn&& fn) noexcept {
  try {
    return fn();
  } catch (const ha::rocketmq::Refused& e) {
    ha::rocketmq::throw_in_java(env, e.status(), e.what());
  } catch (const std::exception& e) {
    ha::rocketmq::throw_in_java(env, HA_INTERNAL, e.what());
  }
  if constexpr (!std::is_void_v<decltype(fn())>) return decltype(fn()){};
}

// Into Snapshot.java's buffer, in its order.
class Writer {
 public:
  Writer(void* data, jlong size)
      : at_(static_cast<char*>(data)), end_(at_ + std::max<jlong>(size, 0)) {}
  bool has(std::size_t size) const { return static_cast<std::size_t>(end_ - at_) >= size; }
  void number(std::int64_t value) { bytes(&value, sizeof value); }
  void bytes(const void* data, std::size_t size) {
    if (!has(size)) return;
    std::memcpy(at_, data, size);
    at_ += size;
  }

 private:
  char* at_;
  char* end_;
};

}  // namespace

extern "C" {

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* jvm, void*) {
  ha::rocketmq::set_jvm(jvm);
  return JNI_VERSION_1_8;
}

JNIEXPORT jlong JNICALL Java_haplugin_rocketmq_Native_create(JNIEnv* env, jclass, jobject bridge,
                                                             jstring plugin, jobjectArray options) {
  return guarded(env, [&]() -> jlong {
    std::vector<ha::Option> all;
    const auto text = [&](jsize i) {
      const auto one = static_cast<jstring>(env->GetObjectArrayElement(options, i));
      std::string out = to_text(env, one);
      env->DeleteLocalRef(one);
      return out;
    };
    for (jsize i = 0; i + 1 < env->GetArrayLength(options); i += 2) {
      all.push_back({text(i), text(i + 1)});
    }
    return std::bit_cast<jlong>(new Broker(env, bridge, to_text(env, plugin), all));
  });
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_start(JNIEnv* env, jclass, jlong handle,
                                                           jint role, jstring master) {
  guarded(env, [&] { at(handle).start(role, to_text(env, master)); });
}

JNIEXPORT jlong JNICALL Java_haplugin_rocketmq_Native_cutToRecord(JNIEnv* env, jclass, jlong handle,
                                                                  jlong offset) {
  return guarded(env, [&]() -> jlong { return at(handle).cut_to_record(offset); });
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_setMasterAddress(JNIEnv* env, jclass,
                                                                      jlong handle,
                                                                      jstring address) {
  guarded(env, [&] { at(handle).set_master_address(to_text(env, address)); });
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_setRole(JNIEnv* env, jclass, jlong handle,
                                                             jint role, jstring master,
                                                             jboolean force, jlong number) {
  guarded(env, [&] {
    at(handle).set_role({.role = role,
                         .master_address = to_text(env, master),
                         .force = force != JNI_FALSE,
                         .number = number});
  });
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_setOption(JNIEnv* env, jclass, jlong handle,
                                                               jstring key, jstring value) {
  guarded(env, [&] { at(handle).set_option(to_text(env, key), to_text(env, value)); });
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_setMetadata(JNIEnv* env, jclass, jlong handle,
                                                                 jbyteArray state) {
  guarded(env, [&] {
    std::string text(static_cast<std::size_t>(env->GetArrayLength(state)), '\0');
    env->GetByteArrayRegion(state, 0, static_cast<jsize>(text.size()),
                            reinterpret_cast<jbyte*>(text.data()));
    at(handle).set_metadata(std::move(text));
  });
}

JNIEXPORT jbyteArray JNICALL Java_haplugin_rocketmq_Native_statusJson(JNIEnv* env, jclass,
                                                                      jlong handle) {
  return guarded(env, [&] { return to_bytes(env, at(handle).status_json()); });
}

JNIEXPORT jbyteArray JNICALL Java_haplugin_rocketmq_Native_metricsText(JNIEnv* env, jclass,
                                                                       jlong handle) {
  return guarded(env, [&] { return to_bytes(env, at(handle).metrics_text()); });
}

JNIEXPORT jstring JNICALL Java_haplugin_rocketmq_Native_statusName(JNIEnv* env, jclass,
                                                                   jlong handle, jint status) {
  return guarded(env, [&] { return to_java(env, at(handle).status_name(status)); });
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_stop(JNIEnv*, jclass, jlong handle,
                                                          jlong drain_ms) {
  at(handle).stop(drain_ms);
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_destroy(JNIEnv*, jclass, jlong handle) {
  delete &at(handle);
}

JNIEXPORT void JNICALL Java_haplugin_rocketmq_Native_notifyAppended(JNIEnv*, jclass, jlong handle,
                                                                    jlong end) {
  at(handle).notify(end);
}

JNIEXPORT jint JNICALL Java_haplugin_rocketmq_Native_checkAcks(JNIEnv*, jclass, jlong handle,
                                                               jint acks) {
  return at(handle).check_acks(acks);
}

JNIEXPORT jint JNICALL Java_haplugin_rocketmq_Native_waitReplicated(JNIEnv*, jclass, jlong handle,
                                                                    jlong end, jint acks,
                                                                    jlong epoch, jlong timeout_ns,
                                                                    jint slot) {
  return at(handle).wait(
      {.end = end, .acks = acks, .timeout = std::chrono::nanoseconds(timeout_ns), .epoch = epoch},
      slot);
}

JNIEXPORT jint JNICALL Java_haplugin_rocketmq_Native_drain(JNIEnv* env, jclass, jlong handle,
                                                           jintArray pairs) {
  static_assert(sizeof(Completions::One) == 2 * sizeof(jint));
  thread_local std::vector<Completions::One> room;
  room.resize(static_cast<std::size_t>(env->GetArrayLength(pairs)) / 2);
  const std::int32_t count = at(handle).drain(room);
  if (count > 0) {
    env->SetIntArrayRegion(pairs, 0, 2 * count, reinterpret_cast<const jint*>(room.data()));
  }
  return count;
}

JNIEXPORT jint JNICALL Java_haplugin_rocketmq_Native_snapshot(JNIEnv* env, jclass, jlong handle,
                                                              jobject into) {
  Writer out(env->GetDirectBufferAddress(into), env->GetDirectBufferCapacity(into));
  const auto now = at(handle).snapshot();
  if (!now) return 0;
  const ha_snapshot& all = now->values;
  for (const std::int64_t value :
       {all.listen_port, std::int64_t{all.client_state}, all.client_bytes_per_s,
        all.client_last_read_ms, all.client_last_write_ms, std::int64_t{all.in_sync_count}}) {
    out.number(value);
  }
  out.bytes(all.master_address, sizeof all.master_address);
  jint count = 0;
  for (const ha_replica_status& replica : now->replicas) {
    if (!out.has(5 * sizeof(std::int64_t) + sizeof replica.address)) break;
    for (const std::int64_t value :
         {std::int64_t{replica.state}, replica.ack_offset, replica.start_offset,
          replica.bytes_per_s, std::int64_t{replica.in_sync}}) {
      out.number(value);
    }
    out.bytes(replica.address, sizeof replica.address);
    ++count;
  }
  return count;
}

}  // extern "C"
