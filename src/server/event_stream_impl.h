// One stream of Server-Sent Events, after its request was admitted and answered with a StreamReply: takes the
// connection over from connection_impl.h, writes what the outbox has, in chunks, and a comment now and then.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/stream_traits.hpp>
#include <fmt/format.h>

#include "server/connection.h"
#include "server/header_of_request.h"
#include "server/outbox.h"

namespace snug {

template <class Transport>
class EventStreamConnection final : public Connection,
                                    public std::enable_shared_from_this<EventStreamConnection<Transport>> {
 public:
  EventStreamConnection(Transport transport, const ConnectionContext& context,
                        std::unique_ptr<ConnectionList::Place> place, const Exchange& exchange)
      : executor_(transport.get_executor()),
        transport_(std::move(transport)),
        context_(context),
        place_(std::move(place)),
        write_timer_(executor_),
        heartbeat_(executor_),
        method_(exchange.request().method),
        route_(exchange.route_name()),
        // HTTP/1.0 knows no chunks; there the stream ends with the connection alone.
        chunked_(exchange.request().minor_version > 0) {}

  // On the strand. `response`: the head of the stream.
  void begin(HttpResponse response,
             std::function<std::unique_ptr<StreamHandler>(std::shared_ptr<Stream>)> open, bool draining) {
    place_->hold(this->weak_from_this());
    draining_ = draining;
    // Gateways must pass each event on as it comes.
    response.headers.set("X-Accel-Buffering", "no");
    if (chunked_) response.headers.set("Transfer-Encoding", "chunked");
    outbox_ = std::make_shared<Outbox>(context_.limits.stream_backlog_bytes, [weak = this->weak_from_this()] {
      if (const auto self = weak.lock()) self->on_strand([](EventStreamConnection& c) { c.write_next(); });
    });
    written_ = format_head(response, /*minor_version=*/1, /*keep_alive=*/false, std::nullopt);
    write([open = std::move(open)](EventStreamConnection& self) {
      boost::asio::post(self.context_.handlers, [held = self.shared_from_this(), open] {
        auto handler = open_or_null([&] { return open(held->outbox_); });
        held->on_strand([handler = std::move(handler)](EventStreamConnection& c) mutable {
          c.handler_ = std::move(handler);
          if (c.handler_ == nullptr || c.closed_) c.close();
        });
      });
      self.discard_input();
      self.beat();
      self.write_next();
    });
  }

  void start() override {}
  void drain() override {
    on_strand([](EventStreamConnection& self) {
      self.draining_ = true;
      self.outbox_->close();
    });
  }
  void abort() override {
    on_strand([](EventStreamConnection& self) { self.close(); });
  }

 private:
  template <class Function>
  void on_strand(Function function) {
    boost::asio::post(executor_, [self = this->shared_from_this(), function = std::move(function)]() mutable {
      function(*self);
    });
  }

  // What written_ holds; then `next`. A client that does not take it in time is cut off.
  template <class Next>
  void write(Next next) {
    writes_ = true;
    const ServerLimits& limits = context_.limits;
    write_timer_.expires_after(
        limits.transfer_grace +
        std::chrono::milliseconds(written_.size() * 1000 / limits.least_bytes_per_second));
    write_timer_.async_wait([weak = this->weak_from_this(), turn = ++turn_](boost::system::error_code error) {
      const auto self = weak.lock();
      if (!error && self != nullptr && self->writes_ && self->turn_ == turn) self->close();
    });
    boost::asio::async_write(transport_, boost::asio::buffer(written_),
                             [self = this->shared_from_this(), next = std::move(next)](
                                 boost::system::error_code error, size_t bytes) {
                               self->writes_ = false;
                               self->sent_bytes_ += bytes;
                               self->write_timer_.cancel();
                               if (error) return self->close();
                               next(*self);
                             });
  }

  void write_next() {
    if (writes_ || closed_) return;
    if (outbox_->has_overflowed()) return close();
    std::optional<Outbox::Message> event = outbox_->take();
    const bool ends = !event.has_value() && (outbox_->is_finished() || draining_);
    if (!event.has_value() && !ends) return;
    written_ = ends ? std::string() : std::move(event->bytes);
    if (chunked_) written_ = ends ? "0\r\n\r\n" : fmt::format("{:x}\r\n{}\r\n", written_.size(), written_);
    write([ends](EventStreamConnection& self) { return ends ? self.close() : self.write_next(); });
  }

  void beat() {
    heartbeat_.expires_after(context_.limits.heartbeat);
    heartbeat_.async_wait([weak = this->weak_from_this()](boost::system::error_code error) {
      const auto self = weak.lock();
      if (error || self == nullptr || self->closed_) return;
      // A comment: clients skip it, and gateways see that the connection lives.
      self->outbox_->send(":\n\n", Delivery::kIfPrompt);
      self->beat();
    });
  }

  // Only to notice that the client has gone.
  void discard_input() {
    transport_.async_read_some(boost::asio::buffer(discarded_),
                               [self = this->shared_from_this()](boost::system::error_code error, size_t) {
                                 if (error) return self->close();
                                 self->discard_input();
                               });
  }

  void close() {
    outbox_->shut();
    if (handler_ != nullptr) {
      // On a handler thread: ending may wait for a call that is under way.
      boost::asio::post(context_.handlers, [handler = std::move(handler_)]() mutable { handler.reset(); });
    }
    if (std::exchange(closed_, true)) return;
    write_timer_.cancel();
    heartbeat_.cancel();
    boost::beast::close_socket(boost::beast::get_lowest_layer(transport_));
    context_.observe(
        {.method = method_,
         .route = route_,
         .status = 200,
         .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(),
         .received_bytes = 0,
         .sent_bytes = sent_bytes_});
  }

  const typename Transport::executor_type executor_;
  Transport transport_;
  const ConnectionContext& context_;
  std::unique_ptr<ConnectionList::Place> place_;
  boost::asio::steady_timer write_timer_, heartbeat_;
  const std::string method_, route_;
  const bool chunked_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::shared_ptr<Outbox> outbox_;
  std::unique_ptr<StreamHandler> handler_;
  std::string written_;  // being written
  std::array<char, 64> discarded_{};
  uint64_t sent_bytes_ = 0, turn_ = 0;
  bool writes_ = false, closed_ = false, draining_ = false;
};

}  // namespace snug
