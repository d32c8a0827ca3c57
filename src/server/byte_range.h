// A part of a response, where a client asks for one: players of video seek by that, and some play nothing
// without it. Called by handlers of what players play.
//
// Range and If-Range as RFC 9110, 14.2 and 13.1.5, have them: one range of bytes. Several at once, other
// units and what is no range are passed over, as the RFC allows, and the whole is sent.
#pragma once

#include "server/http_message.h"

namespace snug {

// `whole` is a 200 with its bytes in `bytes`, and with an ETag where If-Range is to be understood. The answer
// says that ranges are understood; it is `whole` itself, a 206 with the part, or a 416 (in the native API's
// form) where the range begins behind the end.
HttpResponse part_asked_for(const HttpRequest& request, HttpResponse whole);

}  // namespace snug
