// Replies that do not end with the handler: streams of messages (Server-Sent Events, WebSocket) and answers
// that come later. Handlers are written against these; connection_impl.h and websocket_impl.h implement them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "server/http_message.h"

namespace snug {

enum class Delivery {
  kAlways,    // a client that does not take it is cut off
  kIfPrompt,  // dropped where the client is behind: a later one says more
};

// How a WebSocket's message is marked; an event stream has text only.
enum class MessageForm { kText, kBinary };

// Messages to one client. May be kept and used from any thread, also after the client has gone.
class Stream {
 public:
  virtual ~Stream() = default;
  // `message` is one event of an event stream as it goes over the wire (server_sent_event.h), or one
  // WebSocket message. Never blocks. False once the client has gone, or was cut off for not reading.
  virtual bool send(std::string message, Delivery delivery, MessageForm form) = 0;
  bool send(std::string text, Delivery delivery) {
    return send(std::move(text), delivery, MessageForm::kText);
  }
  // Ends the stream once what was sent has left.
  virtual void close() = 0;
};

// What serves one stream; made when it opens, destroyed when the client has gone. Both happen on a handler
// thread, as does receive(), one call at a time.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void receive(std::string_view) {}  // a WebSocket's text message
};

enum class StreamKind { kEvents, kWebSocket };

struct StreamReply {
  StreamKind kind = StreamKind::kEvents;
  // May send at once. Throws nothing: what can be refused is refused by the handler that returns this.
  std::function<std::unique_ptr<StreamHandler>(std::shared_ptr<Stream>)> open;
};

// The one response of a request that waits for something, for instance for a picture. send() may be called
// from any thread; later calls do nothing. The StreamHandler is destroyed when the response has left, or when
// the client has gone away without it.
class Answer {
 public:
  virtual ~Answer() = default;
  virtual void send(HttpResponse response) = 0;
};

struct LaterReply {
  std::function<std::unique_ptr<StreamHandler>(std::shared_ptr<Answer>)> open;
};

using Reply = std::variant<HttpResponse, StreamReply, LaterReply>;

}  // namespace snug
