#include "apps/snug/live_terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "apps/snug/print_performance.h"
#include "base/error.h"

namespace snug::cli {
namespace {

// Alternate screen, no cursor; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr char kControlC = 3;

sigset_t watched(bool also_of_terminals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  if (also_of_terminals) {
    for (const int signal : {SIGTSTP, SIGWINCH}) sigaddset(&set, signal);
  }
  return set;
}

// A terminal that has gone takes nothing, and nobody looks.
void put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

int poll_for(std::array<pollfd, 2>& polled, nfds_t count, std::chrono::milliseconds most) {
  int ready = 0;
  do {
    ready = ::poll(polled.data(), count, static_cast<int>(most.count()));
  } while (ready < 0 && errno == EINTR);
  return ready;
}

}  // namespace

SignalWatch::SignalWatch(bool also_of_terminals) : also_of_terminals_(also_of_terminals) {
  const sigset_t set = watched(also_of_terminals_);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  file_ = ::signalfd(-1, &set, SFD_CLOEXEC);
  if (file_ < 0)
    throw Error(ErrorCode::kIoError, "the system refused a file descriptor", "close other programs");
}

SignalWatch::~SignalWatch() {
  ::close(file_);
  const sigset_t set = watched(also_of_terminals_);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

int SignalWatch::take() const {
  signalfd_siginfo info = {};
  return ::read(file_, &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

bool LiveTerminal::is_possible() {
  const char* const terminal = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

LiveTerminal::LiveTerminal() {
  has_keys_ = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0;
  enter();
}

LiveTerminal::~LiveTerminal() { leave(); }

void LiveTerminal::enter() {
  if (has_keys_) {
    termios keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
  }
  put(kEnter);
}

void LiveTerminal::leave() const {
  put(kLeave);
  if (has_keys_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

LiveTerminal::Size LiveTerminal::size() const {
  winsize size = {};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

void LiveTerminal::draw(const std::vector<std::string>& lines) const {
  const Size window = size();
  // In one write, so that no half of a picture is seen.
  std::string frame = "\x1b[H";
  for (size_t i = 0; i < std::min(lines.size(), window.rows); ++i) {
    if (i > 0) frame += "\r\n";
    frame += cut(lines[i], window.columns) + "\x1b[K";
  }
  put(frame + "\x1b[J");
}

void LiveTerminal::suspend() {
  leave();
  ::kill(::getpid(), SIGSTOP);  // returns when the shell continues it
  enter();
}

LiveEvent LiveTerminal::wait(std::chrono::milliseconds most) {
  std::array<pollfd, 2> polled = {pollfd{signals_.file(), POLLIN, 0}, pollfd{STDIN_FILENO, POLLIN, 0}};
  if (poll_for(polled, has_keys_ ? 2 : 1, most) <= 0) return LiveEvent::kTimeout;
  if ((polled[0].revents & POLLIN) != 0) {
    const int signal = signals_.take();
    if (signal == SIGTSTP) suspend();
    return signal == SIGTSTP || signal == SIGWINCH ? LiveEvent::kRedraw : LiveEvent::kStop;
  }
  char key = 0;
  const ssize_t taken = ::read(STDIN_FILENO, &key, 1);
  if (taken < 0) return LiveEvent::kStop;
  if (taken == 0) {  // the keyboard's end has gone; the window may still be looked at
    has_keys_ = false;
    return LiveEvent::kRedraw;
  }
  if (key == kControlC) return LiveEvent::kStop;
  return key == 'q' || key == 'Q' ? LiveEvent::kQuit : LiveEvent::kRedraw;
}

bool wait_for_stop(const SignalWatch& signals, std::chrono::milliseconds most) {
  std::array<pollfd, 2> polled = {pollfd{signals.file(), POLLIN, 0}, pollfd{-1, 0, 0}};
  if (poll_for(polled, 1, most) <= 0) return false;
  static_cast<void>(signals.take());  // else it would end the process when the watch is given up
  return true;
}

}  // namespace snug::cli
