// SPDX-License-Identifier: Apache-2.0
#include "hosts/rocketmq/jni/jvm.h"

#include <stdexcept>
#include <vector>

namespace ha::rocketmq {
namespace {

JavaVM* machine = nullptr;
constexpr jint kVersion = JNI_VERSION_1_8;

}  // namespace

void set_jvm(JavaVM* jvm) { machine = jvm; }

JNIEnv* jni() {
  void* env = nullptr;
  if (machine->GetEnv(&env, kVersion) != JNI_OK) {
    throw std::runtime_error("a thread that the JVM does not know called the store");
  }
  return static_cast<JNIEnv*>(env);
}

void attach_thread(const char* name) {
  JavaVMAttachArgs args{kVersion, const_cast<char*>(name), nullptr};
  void* env = nullptr;
  if (machine->AttachCurrentThreadAsDaemon(&env, &args) != JNI_OK) {
    throw std::runtime_error("the JVM takes no further thread");
  }
}

void detach_thread() { machine->DetachCurrentThread(); }

std::string take_exception(JNIEnv* env) {
  const jthrowable thrown = env->ExceptionOccurred();
  if (thrown == nullptr) return "";
  env->ExceptionClear();
  const jclass type = env->GetObjectClass(thrown);
  const jmethodID describe = env->GetMethodID(type, "toString", "()Ljava/lang/String;");
  const auto text = static_cast<jstring>(env->CallObjectMethod(thrown, describe));
  const bool told = !env->ExceptionCheck() && text != nullptr;
  env->ExceptionClear();
  std::string said = told ? to_text(env, text) : "an exception without words";
  env->DeleteLocalRef(text);
  env->DeleteLocalRef(type);
  env->DeleteLocalRef(thrown);
  return said;
}

void throw_in_java(JNIEnv* env, std::int32_t status, std::string_view text) {
  const jclass type = env->FindClass("haplugin/rocketmq/HaException");
  if (type == nullptr) return;  // Java throws that
  const jmethodID make = env->GetMethodID(type, "<init>", "(ILjava/lang/String;)V");
  if (make == nullptr) return;
  const auto thrown =
      static_cast<jthrowable>(env->NewObject(type, make, status, to_java(env, text)));
  if (thrown != nullptr) env->Throw(thrown);
}

std::string to_text(JNIEnv* env, jstring text) {
  if (text == nullptr) return "";
  // UTF-16, since Java's "UTF-8" writes NUL and what lies beyond 16 bits in a way of its own.
  const jsize size = env->GetStringLength(text);
  std::vector<jchar> units(static_cast<std::size_t>(size));
  env->GetStringRegion(text, 0, size, units.data());
  std::string out;
  for (std::size_t i = 0; i < units.size(); ++i) {
    char32_t point = units[i];
    const bool high = point >= 0xD800 && point < 0xDC00;
    if (high && i + 1 < units.size() && units[i + 1] >= 0xDC00 && units[i + 1] < 0xE000) {
      point = 0x10000 + ((point - 0xD800) << 10) + (units[++i] - 0xDC00U);
    }
    const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xC0 | (point >> 6));
      put(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
      put(0xE0 | (point >> 12));
      put(0x80 | ((point >> 6) & 0x3F));
      put(0x80 | (point & 0x3F));
    } else {
      put(0xF0 | (point >> 18));
      put(0x80 | ((point >> 12) & 0x3F));
      put(0x80 | ((point >> 6) & 0x3F));
      put(0x80 | (point & 0x3F));
    }
  }
  return out;
}

jstring to_java(JNIEnv* env, std::string_view text) {
  std::vector<jchar> units;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    units.push_back(byte < 0x80 ? byte : '?');
  }
  return env->NewString(units.data(), static_cast<jsize>(units.size()));
}

jbyteArray to_bytes(JNIEnv* env, std::string_view text) {
  const auto size = static_cast<jsize>(text.size());
  const jbyteArray out = env->NewByteArray(size);
  if (out != nullptr) {
    env->SetByteArrayRegion(out, 0, size, reinterpret_cast<const jbyte*>(text.data()));
  }
  return out;
}

}  // namespace ha::rocketmq
