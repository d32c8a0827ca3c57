// A terminal whose whole window is drawn again and again, and that is afterwards as it was: the alternate
// screen is left, the cursor shown, the keyboard's mode put back, however the command ends but by SIGKILL.
// Made by `snug monitor` alone, before any other thread, because it takes the signals.
//
// Threads: one. Throws io_error when the system refuses a file descriptor or the terminal does.
#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace snug::cli {

// Takes SIGINT, SIGTERM, SIGHUP and, if asked for, SIGTSTP and SIGWINCH, and gives them back at its end.
class SignalWatch {
 public:
  explicit SignalWatch(bool also_of_terminals);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  int file() const { return file_; }
  // The next signal that has come.
  int take() const;

 private:
  bool also_of_terminals_;
  int file_ = -1;
};

enum class LiveEvent { kTimeout, kRedraw, kQuit, kStop };

class LiveTerminal {
 public:
  LiveTerminal();
  ~LiveTerminal();
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;

  // Standard output is a terminal that can be drawn on.
  static bool is_possible();

  struct Size {
    size_t columns = 80, rows = 24;
  };
  Size size() const;
  // In place of what is there; lines and columns that do not fit are left out.
  void draw(const std::vector<std::string>& lines) const;
  // kQuit: the key q; kStop: a signal that ends; kRedraw: the window or the job changed. A suspension
  // (Ctrl-Z) happens in here, with the terminal as it was before.
  LiveEvent wait(std::chrono::milliseconds most);

 private:
  void enter();
  void leave() const;
  void suspend();

  SignalWatch signals_{true};
  bool has_keys_ = false;
  termios before_ = {};
};

// Without a terminal: waits for a signal that ends. False: none came in time.
bool wait_for_stop(const SignalWatch& signals, std::chrono::milliseconds most);

}  // namespace snug::cli
