// What keeps a library's threads from touching the signals of the process that they are guests in.
//
// Threads: BlockAllSignals concerns the calling thread and those it makes; KeepSigpipe the process.
#pragma once

#include <csignal>

namespace ha::metrics {

// Threads that are made while it lives block every signal; the maker gets its own mask back.
class BlockAllSignals {
 public:
  BlockAllSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockAllSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockAllSignals(const BlockAllSignals&) = delete;
  BlockAllSignals& operator=(const BlockAllSignals&) = delete;

 private:
  sigset_t before_{};
};

// Undoes a change of SIGPIPE to "ignored" that happened while it lived; any other change stays.
class KeepSigpipe {
 public:
  KeepSigpipe() { sigaction(SIGPIPE, nullptr, &before_); }
  ~KeepSigpipe() {
    struct sigaction now {};
    sigaction(SIGPIPE, nullptr, &now);
    if (now.sa_handler == SIG_IGN && before_.sa_handler != SIG_IGN) {
      sigaction(SIGPIPE, &before_, nullptr);
    }
  }
  KeepSigpipe(const KeepSigpipe&) = delete;
  KeepSigpipe& operator=(const KeepSigpipe&) = delete;

 private:
  struct sigaction before_ {};
};

}  // namespace ha::metrics
