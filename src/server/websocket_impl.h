// One WebSocket, after its request was admitted and answered with a StreamReply: takes the connection over
// from connection_impl.h, gives text messages to the handler one at a time, writes what the outbox has. An
// idle client costs this object, the library's buffers (some 6 KiB) and the socket.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "server/connection.h"
#include "server/header_of_request.h"
#include "server/outbox.h"

namespace snug {

template <class Transport>
class WebSocketConnection final : public Connection,
                                  public std::enable_shared_from_this<WebSocketConnection<Transport>> {
 public:
  WebSocketConnection(Transport transport, const ConnectionContext& context,
                      std::unique_ptr<ConnectionList::Place> place, const Exchange& exchange)
      : executor_(transport.get_executor()),
        stream_(std::move(transport)),
        context_(context),
        place_(std::move(place)),
        route_(exchange.route_name()),
        protocol_(chosen_protocol(exchange.request())) {}

  void accept(boost::beast::http::request<boost::beast::http::buffer_body> request,
              std::function<std::unique_ptr<StreamHandler>(std::shared_ptr<Stream>)> open, bool draining) {
    place_->hold(this->weak_from_this());
    draining_ = draining;
    namespace websocket = boost::beast::websocket;
    stream_.set_option(websocket::stream_base::timeout{
        .handshake_timeout = context_.limits.header_time,
        .idle_timeout = 2 * context_.limits.heartbeat,
        .keep_alive_pings = true,
    });
    stream_.set_option(
        websocket::stream_base::decorator([protocol = protocol_](websocket::response_type& response) {
          if (!protocol.empty()) response.set("Sec-WebSocket-Protocol", protocol);
        }));
    stream_.read_message_max(0);  // read_more() looks
    auto held = std::make_shared<decltype(request)>(std::move(request));
    stream_.async_accept(*held,
                         [self = this->shared_from_this(), held, open = std::move(open)](auto error) mutable {
                           held.reset();
                           if (error) return self->end();
                           self->open(std::move(open));
                         });
  }

  void start() override {}
  void drain() override {
    on_strand([](WebSocketConnection& self) {
      self.draining_ = true;
      if (self.outbox_ != nullptr) self.outbox_->close();
    });
  }
  void abort() override {
    on_strand([](WebSocketConnection& self) { self.cut(); });
  }

 private:
  static constexpr size_t kMostMessageBytes = 64 << 10, kKeptBufferBytes = 1 << 10;

  static std::string chosen_protocol(const HttpRequest& request) {
    for (const std::string_view each :
         split_list(request.headers.find("Sec-WebSocket-Protocol").value_or(""))) {
      if (each == "snug.v1") return std::string(each);
    }
    return {};
  }

  template <class Function>
  void on_strand(Function function) {
    boost::asio::post(executor_, [self = this->shared_from_this(), function = std::move(function)]() mutable {
      function(*self);
    });
  }

  template <class Open>
  void open(Open open) {
    outbox_ = std::make_shared<Outbox>(context_.limits.stream_backlog_bytes, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->on_strand([](WebSocketConnection& c) { c.write(); });
    });
    boost::asio::post(context_.handlers, [self = this->shared_from_this(), open = std::move(open)] {
      auto handler = open_or_null([&] { return open(self->outbox_); });
      self->on_strand([handler = std::move(handler)](WebSocketConnection& c) mutable {
        c.handler_ = std::move(handler);
        if (c.handler_ == nullptr || c.ended_) return c.cut();
        c.read();
        c.write();
      });
    });
  }

  void read() {
    if (buffer_.capacity() > kKeptBufferBytes) buffer_ = {};
    read_more();
  }

  // Piece by piece, so that a message that is too long ends in an orderly close: Beast's own limit may reset
  // the connection before the client has read why.
  void read_more() {
    stream_.async_read_some(buffer_, kMostMessageBytes + 1 - buffer_.size(),
                            [self = this->shared_from_this()](boost::system::error_code error, size_t) {
                              if (error) return self->end();
                              if (self->buffer_.size() > kMostMessageBytes)
                                return self->close(boost::beast::websocket::close_code::too_big);
                              if (!self->stream_.is_message_done()) return self->read_more();
                              self->receive();
                            });
  }

  void receive() {
    std::string message = boost::beast::buffers_to_string(buffer_.data());
    buffer_.consume(buffer_.size());
    if (!stream_.got_text()) return close(boost::beast::websocket::close_code::unknown_data);
    // The next message is read when this one is dealt with: a client cannot pile up work.
    boost::asio::post(context_.handlers, [self = this->shared_from_this(), message = std::move(message)] {
      self->handler_->receive(message);
      self->on_strand([](WebSocketConnection& c) { c.read(); });
    });
  }

  void write() {
    if (writes_ || closing_ || ended_) return;
    if (outbox_->has_overflowed()) return cut();
    std::optional<Outbox::Message> message = outbox_->take();
    if (!message.has_value()) {
      if (outbox_->is_finished() || draining_) close(boost::beast::websocket::close_code::going_away);
      return;
    }
    writes_ = true;
    written_ = std::move(message->bytes);
    stream_.text(message->form == MessageForm::kText);
    sent_bytes_ += written_.size();
    stream_.async_write(boost::asio::buffer(written_), [self = this->shared_from_this()](auto error, size_t) {
      self->writes_ = false;
      self->written_ = {};
      if (!error) self->write();  // the pending read notices the end
    });
  }

  void close(boost::beast::websocket::close_code code) {
    if (std::exchange(closing_, true)) return;
    stream_.async_close(code, [self = this->shared_from_this()](auto) { self->end(); });
  }

  void cut() {
    boost::beast::close_socket(boost::beast::get_lowest_layer(stream_));
    end();
  }

  void end() {
    if (outbox_ != nullptr) outbox_->shut();
    if (handler_ != nullptr) {
      boost::asio::post(context_.handlers, [handler = std::move(handler_)]() mutable { handler.reset(); });
    }
    if (std::exchange(ended_, true)) return;
    context_.observe(
        {.method = "GET",
         .route = route_,
         .status = 101,
         .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(),
         .received_bytes = 0,
         .sent_bytes = sent_bytes_});
  }

  const typename Transport::executor_type executor_;
  boost::beast::websocket::stream<Transport, /*deflateSupported=*/false> stream_;
  const ConnectionContext& context_;
  std::unique_ptr<ConnectionList::Place> place_;
  const std::string route_, protocol_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::shared_ptr<Outbox> outbox_;
  std::unique_ptr<StreamHandler> handler_;
  boost::beast::flat_buffer buffer_;
  std::string written_;
  uint64_t sent_bytes_ = 0;
  bool writes_ = false, closing_ = false, ended_ = false, draining_ = false;
};

}  // namespace snug
