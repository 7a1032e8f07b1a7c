// SPDX-License-Identifier: Apache-2.0
#include "hosts/rocketmq/jni/java_store.h"

#include <stdexcept>

#include "hosts/rocketmq/jni/jvm.h"

namespace ha::rocketmq {
namespace {

jmethodID method(JNIEnv* env, jclass type, const char* name, const char* signature) {
  const jmethodID found = env->GetMethodID(type, name, signature);
  if (found == nullptr) {
    env->ExceptionClear();
    throw std::runtime_error(std::string("StoreBridge has no ") + name + signature +
                             ": the jar and libha_rocketmq.so are of different versions");
  }
  return found;
}

void check(JNIEnv* env) {
  if (!env->ExceptionCheck()) return;
  throw std::runtime_error(take_exception(env));
}

}  // namespace

JavaStore::JavaStore(JNIEnv* env, jobject bridge) {
  const jclass type = env->GetObjectClass(bridge);
  bounds_ = method(env, type, "bounds", "(Ljava/nio/ByteBuffer;)V");
  path_ = method(env, type, "path", "(J)Ljava/lang/String;");
  prepare_ = method(env, type, "prepare", "(J)J");
  commit_ = method(env, type, "commit", "(J)V");
  truncate_ = method(env, type, "truncate", "(J)V");
  reset_ = method(env, type, "reset", "(J)Z");
  confirm_ = method(env, type, "confirm", "(J)V");
  role_changed_ = method(env, type, "roleChanged", "(IIJJLjava/lang/String;)V");
  completed_ = method(env, type, "completed", "(II)V");
  metadata_ = method(env, type, "metadata", "([B)V");
  log_ = method(env, type, "log", "(ILjava/lang/String;)V");
  bridge_ = env->NewGlobalRef(bridge);
  buffer_ = env->NewGlobalRef(env->NewDirectByteBuffer(longs_, sizeof longs_));
}

JavaStore::~JavaStore() {
  jni()->DeleteGlobalRef(buffer_);
  jni()->DeleteGlobalRef(bridge_);
}

ha_bounds JavaStore::bounds(std::int64_t* record) {
  JNIEnv* env = jni();
  const std::lock_guard lock(mutex_);
  env->CallVoidMethod(bridge_, bounds_, buffer_);
  check(env);
  if (record != nullptr) *record = longs_[5];
  return {longs_[0], longs_[1], longs_[2], longs_[3], longs_[4]};
}

std::string JavaStore::path(std::int64_t offset) {
  JNIEnv* env = jni();
  const LocalFrame frame(env);
  const auto path = static_cast<jstring>(env->CallObjectMethod(bridge_, path_, offset));
  check(env);
  return to_text(env, path);
}

std::int64_t JavaStore::prepare(std::int64_t offset) {
  JNIEnv* env = jni();
  const jlong begin = env->CallLongMethod(bridge_, prepare_, offset);
  check(env);
  return begin;
}

void JavaStore::commit(std::int64_t end) {
  JNIEnv* env = jni();
  env->CallVoidMethod(bridge_, commit_, end);
  check(env);
}

void JavaStore::truncate(std::int64_t new_end) {
  JNIEnv* env = jni();
  env->CallVoidMethod(bridge_, truncate_, new_end);
  check(env);
}

bool JavaStore::reset(std::int64_t new_min) {
  JNIEnv* env = jni();
  const jboolean made = env->CallBooleanMethod(bridge_, reset_, new_min);
  check(env);
  return made != JNI_FALSE;
}

void JavaStore::confirm(std::int64_t offset) {
  JNIEnv* env = jni();
  env->CallVoidMethod(bridge_, confirm_, offset);
  check(env);
}

void JavaStore::role_changed(const ha_role_report& report) {
  JNIEnv* env = jni();
  const LocalFrame frame(env);
  const jstring text = to_java(env, report.text);
  env->ExceptionClear();  // no memory for the words; what they are about must be told all the same
  env->CallVoidMethod(bridge_, role_changed_, report.role, report.status, report.epoch,
                      report.number, text);
  check(env);
}

void JavaStore::completed(std::int32_t slot, std::int32_t status) {
  JNIEnv* env = jni();
  env->CallVoidMethod(bridge_, completed_, slot, status);
  check(env);
}

void JavaStore::metadata(std::string_view state) {
  JNIEnv* env = jni();
  const LocalFrame frame(env);
  const jbyteArray bytes = to_bytes(env, state);
  if (bytes != nullptr) env->CallVoidMethod(bridge_, metadata_, bytes);
  check(env);
}

void JavaStore::log(std::int32_t level, std::string_view text) {
  JNIEnv* env = jni();
  const LocalFrame frame(env);
  env->CallVoidMethod(bridge_, log_, level, to_java(env, text));
  check(env);
}

}  // namespace ha::rocketmq
