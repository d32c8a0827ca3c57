// Tells the service manager how the service is: sd_notify(3)'s protocol, one datagram to the socket that
// NOTIFY_SOCKET names. Called by `snug serve`; docs/dependencies.md says why this is not libsystemd.
//
// Source: the protocol as sd_notify(3) documents it, with its assignments READY=1, STOPPING=1, STATUS=.
#pragma once

#include <string>
#include <string_view>

namespace snug {

// `state`: lines of NAME=VALUE. False where nobody asked for it (no NOTIFY_SOCKET) or it could not be sent:
// the service goes on either way. A socket's name that begins with '@' is in the abstract namespace.
// Not while another thread changes the environment.
bool notify_systemd(std::string_view state) noexcept;

// "STATUS=text" in one line, whatever the text holds.
std::string systemd_status(std::string_view text);

}  // namespace snug
