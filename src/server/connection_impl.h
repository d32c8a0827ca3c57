// One connection of HTTP/1.1, plain or TLS: reads requests one after the other under limits of size and time,
// has an Exchange decide and answer each on a handler thread, writes the reply. Included by
// connection_plain.cc and connection_tls.cc alone.
//
// Everything of a connection runs on its strand, but for what a handler thread does with the Exchange between
// two posts, while nothing else touches it. Streams are taken over by event_stream_impl.h and
// websocket_impl.h. Whatever is pending holds the connection; when nothing is, it is destroyed and the socket
// closed.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include "server/connection.h"
#include "server/event_stream_impl.h"
#include "server/header_of_request.h"
#include "server/websocket_impl.h"

namespace snug {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

template <class Transport>  // tcp::socket or ssl::stream<tcp::socket>
class HttpConnection final : public Connection,
                             public std::enable_shared_from_this<HttpConnection<Transport>> {
 public:
  HttpConnection(Transport transport, const ConnectionContext& context,
                 std::unique_ptr<ConnectionList::Place> place)
      : executor_(transport.get_executor()),
        transport_(std::move(transport)),
        context_(context),
        place_(std::move(place)),
        timer_(executor_) {}

  void start() override {
    place_->hold(this->weak_from_this());
    on_strand([](HttpConnection& self) {
      self.socket().set_option(asio::ip::tcp::no_delay(true), self.ignored_);
      const auto remote = self.socket().remote_endpoint(self.ignored_);
      self.remote_address_ = remote.address().to_string();
      if constexpr (kTls) {
        self.expect_within(self.context_.limits.header_time);
        self.transport_.async_handshake(Transport::server, self.then([](HttpConnection& c, auto error) {
          if (!error) c.await_request();
        }));
      } else {
        self.await_request();
      }
    });
  }

  void drain() override {
    on_strand([](HttpConnection& self) {
      self.draining_ = true;
      if (self.idle_) self.close();
    });
  }

  void abort() override {
    on_strand([](HttpConnection& self) { self.close(); });
  }

 private:
  static constexpr bool kTls = !std::is_same_v<Transport, asio::ip::tcp::socket>;
  static constexpr size_t kReadBytes = 4096, kBodyBytes = 64 << 10, kLingerBytes = 256 << 10;
  static constexpr std::chrono::milliseconds kLingerTime{2000};
  using Clock = std::chrono::steady_clock;

  asio::ip::tcp::socket& socket() {
    if constexpr (kTls) {
      return transport_.next_layer();
    } else {
      return transport_;
    }
  }

  template <class Function>
  void on_strand(Function function) {
    asio::post(executor_, [self = this->shared_from_this(), function = std::move(function)]() mutable {
      function(*self);
    });
  }
  // A completion handler that keeps this alive.
  template <class Function>
  auto then(Function function) {
    return [self = this->shared_from_this(), function = std::move(function)](boost::system::error_code error,
                                                                             size_t bytes = 0) mutable {
      if constexpr (std::is_invocable_v<Function, HttpConnection&, boost::system::error_code, size_t>) {
        function(*self, error, bytes);
      } else {
        function(*self, error);
      }
    };
  }

  // What is pending is cancelled unless expect_nothing() or another expect_within() comes first.
  void expect_within(std::chrono::milliseconds most) {
    timed_out_ = false;
    const uint64_t turn = ++timer_turn_;
    timer_.expires_after(most);
    timer_.async_wait([weak = this->weak_from_this(), turn](boost::system::error_code error) {
      const auto self = weak.lock();
      if (error || self == nullptr || self->timer_turn_ != turn) return;
      self->timed_out_ = true;
      self->socket().cancel(self->ignored_);
    });
  }
  void expect_nothing() {
    ++timer_turn_;
    timer_.cancel();
  }
  std::chrono::milliseconds transfer_time(uint64_t bytes) const {
    const ServerLimits& limits = context_.limits;
    return limits.transfer_grace + std::chrono::milliseconds(bytes * 1000 / limits.least_bytes_per_second);
  }

  void await_request() {
    exchange_.reset();
    parser_.reset();
    body_ = {};
    received_bytes_ = 0;
    must_close_ = false;
    if (draining_) return close();
    if (buffer_.size() > 0) return read_header();
    buffer_ = {};
    idle_ = true;
    expect_within(context_.limits.idle_time);
    transport_.async_read_some(buffer_.prepare(kReadBytes),
                               then([](HttpConnection& self, auto error, size_t bytes) {
                                 self.idle_ = false;
                                 if (error) return self.close();
                                 self.buffer_.commit(bytes);
                                 self.read_header();
                               }));
  }

  void read_header() {
    parser_.emplace();
    parser_->header_limit(context_.limits.header_bytes);
    // begin_body() sets the route's; none at all would refuse every body here.
    parser_->body_limit(std::numeric_limits<uint64_t>::max());
    expect_within(context_.limits.header_time);
    http::async_read_header(transport_, buffer_, *parser_, then([](HttpConnection& self, auto error, size_t) {
                              self.began_ = Clock::now();
                              if (!error) {
                                self.expect_nothing();
                                return self.admit();
                              }
                              if (self.timed_out_) return self.refuse(slow_request());
                              if (std::optional<Failure> failure = failure_of_header(error))
                                return self.refuse(*failure);
                              self.close();
                            }));
  }

  void admit() {
    const auto& head = parser_->get();
    HttpRequest request = header_of_request(head, kTls, remote_address_);
    request.declared_bytes =
        parser_->content_length() ? std::optional<uint64_t>(*parser_->content_length()) : std::nullopt;
    request.chunked = parser_->chunked();
    const bool has_body = request.has_body();
    exchange_.emplace(context_.front, std::move(request));
    asio::post(context_.handlers, [self = this->shared_from_this(), has_body] {
      std::optional<Reply> reply;
      if (std::optional<HttpResponse> refusal = self->exchange_->admit()) {
        self->must_close_ = has_body;  // which stays unread
        reply = std::move(*refusal);
      } else if (!has_body) {
        reply = self->exchange_->answer({});
      }
      self->on_strand([reply = std::move(reply)](HttpConnection& c) mutable {
        if (reply.has_value()) return c.send_reply(std::move(*reply));
        c.begin_body();
      });
    });
  }

  void begin_body() {
    parser_->body_limit(exchange_->most_body_bytes());
    parser_->eager(true);
    chunk_.resize(kBodyBytes);
    body_began_ = Clock::now();
    const std::string_view expectation = exchange_->request().headers.find("Expect").value_or("");
    if (!equal_without_case(expectation, "100-continue") || buffer_.size() > 0) return read_body();
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    expect_within(transfer_time(0));
    asio::async_write(transport_, asio::buffer(kContinue), then([](HttpConnection& self, auto error, size_t) {
                        return error ? self.close() : self.read_body();
                      }));
  }

  void read_body() {
    auto& room = parser_->get().body();
    room.data = chunk_.data();
    room.size = chunk_.size();
    // A client earns time by sending.
    expect_within(std::chrono::duration_cast<std::chrono::milliseconds>(
        body_began_ + transfer_time(body_.size()) - Clock::now()));
    http::async_read_some(transport_, buffer_, *parser_,
                          then([](HttpConnection& self, auto error, size_t) { self.take_body(error); }));
  }

  void take_body(boost::system::error_code error) {
    body_.append(chunk_.data(), chunk_.size() - parser_->get().body().size);
    if (error == http::error::need_buffer) error = {};
    if (!error && !parser_->is_done()) return read_body();
    expect_nothing();
    chunk_ = {};
    received_bytes_ = body_.size();
    if (error) {
      must_close_ = true;
      if (timed_out_) return refuse(slow_request());
      if (std::optional<Failure> failure = failure_of_body(error, exchange_->most_body_bytes()))
        return refuse(*failure);
      return close();
    }
    asio::post(context_.handlers, [self = this->shared_from_this()] {
      Reply reply = self->exchange_->answer(std::move(self->body_));
      self->on_strand(
          [reply = std::move(reply)](HttpConnection& c) mutable { c.send_reply(std::move(reply)); });
    });
  }

  // Before or beside an Exchange's own decision.
  void refuse(const Failure& failure) {
    must_close_ = true;
    if (!exchange_.has_value()) exchange_.emplace(context_.front, HttpRequest{});
    write_response(exchange_->refuse(failure));
  }

  void send_reply(Reply reply) {
    if (auto* response = std::get_if<HttpResponse>(&reply)) return write_response(std::move(*response));
    if (auto* later = std::get_if<LaterReply>(&reply)) return await_answer(std::move(*later));
    auto& stream = std::get<StreamReply>(reply);
    if (stream.kind == StreamKind::kWebSocket) return upgrade(std::move(stream));
    begin_events(std::move(stream));
  }

  void write_response(HttpResponse response) {
    response_ = std::move(response);
    const bool keep = !must_close_ && !draining_ && parser_.has_value() && parser_->keep_alive();
    const bool bare = has_no_content(response_.status);
    const auto content =
        bare || exchange_->request().method == "HEAD" ? std::span<const std::byte>() : response_.content();
    head_ = format_head(response_, exchange_->request().minor_version, keep,
                        bare ? std::nullopt : std::optional<uint64_t>(response_.content().size()));
    expect_within(transfer_time(content.size()));
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head_),
                                                       asio::buffer(content.data(), content.size())};
    asio::async_write(transport_, buffers,
                      then([keep, sent = content.size()](HttpConnection& self, auto error, size_t) {
                        self.record(self.response_.status, sent);
                        self.response_ = {};
                        if (error) return self.close();
                        if (keep) return self.await_request();
                        self.linger();
                      }));
  }

  void record(int status, uint64_t sent_bytes) {
    context_.observe({.method = std::string(exchange_->method_name()),
                      .route = std::string(exchange_->route_name()),
                      .status = status,
                      .seconds = std::chrono::duration<double>(Clock::now() - began_).count(),
                      .received_bytes = received_bytes_,
                      .sent_bytes = sent_bytes});
  }

  // A response that comes later: this waits for it and for the client to go away.
  void await_answer(LaterReply reply) {
    class PendingAnswer final : public Answer {
     public:
      PendingAnswer(std::weak_ptr<HttpConnection> connection, uint64_t turn)
          : connection_(std::move(connection)), turn_(turn) {}
      void send(HttpResponse response) override {
        if (const auto connection = connection_.lock()) {
          connection->on_strand([turn = turn_, response = std::move(response)](HttpConnection& self) mutable {
            if (turn == self.answer_turn_) self.take_answer(std::move(response));
          });
        }
      }

     private:
      std::weak_ptr<HttpConnection> connection_;
      uint64_t turn_;  // a late answer to an earlier request is none to this one
    };
    waits_for_answer_ = true;
    auto answer = std::make_shared<PendingAnswer>(this->weak_from_this(), ++answer_turn_);
    open_handler([open = std::move(reply.open), answer = std::move(answer)] { return open(answer); });
    watch_client();
  }

  void take_answer(HttpResponse response) {
    if (!waits_for_answer_) return;
    const auto keep = std::exchange(keep_, nullptr);
    waits_for_answer_ = false;
    end_handler();
    socket().cancel(ignored_);  // watch_client
    exchange_->finish(response);
    write_response(std::move(response));
  }

  // Readable without anything to read is a client that went away. What it sends meanwhile is the next
  // request.
  void watch_client() {
    socket().async_wait(asio::ip::tcp::socket::wait_read, [self = this->shared_from_this()](auto error) {
      if (!self->waits_for_answer_) return;
      if (error || self->socket().available(self->ignored_) == 0) return self->close();
      self->keep_ = self;  // nothing else is pending until the answer comes
    });
  }

  void begin_events(StreamReply reply) {
    HttpResponse response = text_response(200, "text/event-stream", {});
    exchange_->finish(response);
    must_close_ = true;
    if (exchange_->request().method == "HEAD") return write_response(std::move(response));
    expect_nothing();
    closed_ = true;
    using Session = EventStreamConnection<Transport>;
    auto session = std::make_shared<Session>(std::move(transport_), context_, std::move(place_), *exchange_);
    session->begin(std::move(response), std::move(reply.open), draining_);
  }

  void upgrade(StreamReply reply) {
    expect_nothing();
    using Session = WebSocketConnection<Transport>;
    auto session = std::make_shared<Session>(std::move(transport_), context_, std::move(place_), *exchange_);
    closed_ = true;
    session->accept(parser_->release(), std::move(reply.open), draining_);
  }

  template <class Open>
  void open_handler(Open open) {
    asio::post(context_.handlers,
               [self = this->shared_from_this(), open = std::move(open), turn = answer_turn_] {
                 std::unique_ptr<StreamHandler> handler = open_or_null(open);
                 const bool failed = handler == nullptr;
                 self->on_strand([handler = std::move(handler), failed, turn](HttpConnection& c) mutable {
                   const bool answered = !c.waits_for_answer_ || turn != c.answer_turn_;
                   if (answered || c.closed_) return c.end(std::move(handler));
                   c.handler_ = std::move(handler);
                   if (failed) c.close();
                 });
               });
  }
  // On a handler thread: ending may wait for a call that is under way.
  void end(std::unique_ptr<StreamHandler> handler) {
    if (handler != nullptr)
      asio::post(context_.handlers, [handler = std::move(handler)]() mutable { handler.reset(); });
  }
  void end_handler() { end(std::move(handler_)); }

  // Tells the client that no more comes, and lets it read what was sent: closing at once would reset the
  // connection when the client is still sending.
  void linger() {
    expect_within(kLingerTime);
    if constexpr (kTls) {
      transport_.async_shutdown(then([](HttpConnection& self, auto) { self.close(); }));
    } else {
      socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored_);
      chunk_.resize(kReadBytes);
      drop_rest(kLingerBytes);
    }
  }
  void drop_rest(size_t most) {
    transport_.async_read_some(asio::buffer(chunk_),
                               then([most](HttpConnection& self, auto error, size_t bytes) {
                                 if (error || bytes >= most) return self.close();
                                 self.drop_rest(most - bytes);
                               }));
  }

  void close() {
    const auto keep = std::exchange(keep_, nullptr);
    expect_nothing();
    waits_for_answer_ = false;
    end_handler();
    if (closed_) return;
    closed_ = true;
    socket().close(ignored_);
  }

  const typename Transport::executor_type executor_;  // also of a connection that was taken over
  Transport transport_;
  const ConnectionContext& context_;
  std::unique_ptr<ConnectionList::Place> place_;
  asio::steady_timer timer_;
  uint64_t timer_turn_ = 0;
  bool timed_out_ = false, idle_ = false, draining_ = false, closed_ = false;
  boost::system::error_code ignored_;
  std::string remote_address_;

  // The request under way.
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::buffer_body>> parser_;
  std::optional<Exchange> exchange_;
  std::string chunk_, body_;
  Clock::time_point began_, body_began_;
  uint64_t received_bytes_ = 0;
  bool must_close_ = false;
  HttpResponse response_;
  std::string head_;  // being written

  // A reply that goes on.
  std::unique_ptr<StreamHandler> handler_;
  std::shared_ptr<HttpConnection> keep_;
  uint64_t answer_turn_ = 0;
  bool waits_for_answer_ = false;
};

}  // namespace snug
