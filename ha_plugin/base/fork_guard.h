// SPDX-License-Identifier: Apache-2.0
// Tells a forked child from the process that made an object, for the price of a load.
//
// A child has the memory of an instance and none of its threads: whatever waits for one of them
// waits for ever, and a lock that one of them held stays locked. So a child may use nothing of it.
// The kernel sees to the mark: it gives a child a page of zeros where this page was.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace ha {

class ForkGuard {
 public:
  ForkGuard() {
    void* page =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::bad_alloc();
    mark_ = static_cast<int*>(page);
    // Kernels before 4.14 do not know it.
    by_page_ = ::madvise(page, kBytes, MADV_WIPEONFORK) == 0;
    *mark_ = 1;
  }
  ~ForkGuard() { ::munmap(mark_, kBytes); }
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  bool in_child() const { return by_page_ ? *mark_ == 0 : ::getpid() != maker_; }

 private:
  static constexpr std::size_t kBytes = 4096;  // the kernel rounds up

  int* mark_;
  bool by_page_ = false;
  const pid_t maker_ = ::getpid();
};

}  // namespace ha
