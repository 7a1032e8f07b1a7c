// SPDX-License-Identifier: Apache-2.0
// The JVM as native code sees it.
#pragma once

#include <jni.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace ha::rocketmq {

// Set once, when the JVM loads this library.
void set_jvm(JavaVM* jvm);

// Of this thread, which Java started or attach_thread made known.
JNIEnv* jni();
void attach_thread(const char* name);
void detach_thread();

// What Java threw, as text, and no longer pending; "" when it threw nothing.
std::string take_exception(JNIEnv* env);

// Throws a HaException in Java, once this thread is back there. status: HA_*.
void throw_in_java(JNIEnv* env, std::int32_t status, std::string_view text);

std::string to_text(JNIEnv* env, jstring text);
// What is not ASCII becomes '?'.
jstring to_java(JNIEnv* env, std::string_view text);
jbyteArray to_bytes(JNIEnv* env, std::string_view text);

// The references that a native thread makes, which no return to Java frees.
class LocalFrame {
 public:
  explicit LocalFrame(JNIEnv* env) : env_(env) { env_->PushLocalFrame(16); }
  ~LocalFrame() { env_->PopLocalFrame(nullptr); }
  LocalFrame(const LocalFrame&) = delete;
  LocalFrame& operator=(const LocalFrame&) = delete;

 private:
  JNIEnv* env_;
};

}  // namespace ha::rocketmq
