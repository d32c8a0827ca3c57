#include "server/http_server.h"

#include <latch>
#include <optional>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "server/connection.h"
#include "server/error_form.h"

namespace snug {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

// After what a stopping server waits for when it has cut connections off; they need no client for it.
constexpr milliseconds kCutTime{5000};
constexpr milliseconds kRetryAccept{100};

tcp::acceptor open_acceptor(asio::io_context& io, const std::string& text) {
  const ListenAddress address = parse_listen_address(text);
  tcp::acceptor acceptor(asio::make_strand(io));
  try {
    const tcp::endpoint endpoint(asio::ip::make_address(address.address), address.port);
    acceptor.open(endpoint.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    if (endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true));
    acceptor.bind(endpoint);
  } catch (const boost::system::system_error& error) {
    throw Error(ErrorCode::kIoError, fmt::format("cannot listen on {} ({})", text, error.code().message()),
                "choose another port, or stop what uses this one");
  }
  return acceptor;
}

std::string endpoint_text(const tcp::acceptor& acceptor) {
  const tcp::endpoint endpoint = acceptor.local_endpoint();
  const std::string address = endpoint.address().to_string();
  return fmt::format(fmt::runtime(endpoint.address().is_v6() ? "[{}]:{}" : "{}:{}"), address,
                     endpoint.port());
}

std::unique_ptr<asio::ssl::context> open_certificate(const ServerOptions& options) {
  if (options.certificate_file.empty()) return nullptr;
  auto context = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  const auto require = [](const boost::system::error_code& error, std::string_view what,
                          const std::string& file) {
    if (!error) return;
    throw Error(ErrorCode::kInvalidArgument, fmt::format("is no {} ({})", what, error.message()),
                "name a PEM file that this user can read")
        .in_file(file);
  };
  context->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                       asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_compression);
  // Buffers of idle connections are given back: they are most of what a TLS client costs.
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  boost::system::error_code error;
  context->use_certificate_chain_file(options.certificate_file, error);
  require(error, "certificate", options.certificate_file);
  context->use_private_key_file(options.key_file, asio::ssl::context::pem, error);
  require(error, "key of the certificate", options.key_file);
  return context;
}

// In the native form: what is asked for, and so which API, is not known yet.
std::string refusal_text(ConnectionList::Refusal refusal) {
  const HttpError error =
      refusal == ConnectionList::Refusal::kFull
          ? HttpError(503, "too_many_connections", "as many connections are open as may be",
                      "try again in a moment")
          : HttpError(429, "too_many_connections", "this address has as many connections as one may have",
                      "close some, or use one for several requests");
  Failure failure = error.failure();
  failure.retry_after_seconds = 1;
  const HttpResponse response = error_response(failure, ErrorForm::kNative);
  return format_head(response, 1, false, response.text.size()) + response.text;
}

}  // namespace

struct HttpServer::Running {
  Running(const ServerOptions& wanted, AccessControl* access, const Router& router,
          const RequestObserver& observe)
      : options(wanted),
        io(options.io_threads),
        handlers(static_cast<size_t>(options.handler_threads)),
        connections(options.limits.connections, options.limits.connections_per_client) {
    tls = open_certificate(options);
    for (std::string& address : options.listen) {
      acceptors.push_back(open_acceptor(io, address));
      address = endpoint_text(acceptors.back());
    }
    policy.emplace(options, access);
    front.emplace(Front{router, *policy, options.limits.body_bytes});
    context.emplace(ConnectionContext{*front, options.limits, handlers, observe});
  }

  void listen() {
    for (tcp::acceptor& acceptor : acceptors) {
      acceptor.listen();
      accept(acceptor);
    }
    for (int i = 0; i < options.io_threads; ++i) threads.emplace_back([this] { io.run(); });
  }

  void accept(tcp::acceptor& acceptor) {
    acceptor.async_accept(
        asio::make_strand(io), [this, &acceptor](boost::system::error_code error, tcp::socket socket) {
          if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
          if (error) {
            // Out of file descriptors, most likely: some will be given back.
            log::warn("a connection could not be accepted: {}", error.message());
            auto timer = std::make_shared<asio::steady_timer>(acceptor.get_executor(), kRetryAccept);
            timer->async_wait([this, &acceptor, timer](auto) {
              if (acceptor.is_open()) accept(acceptor);
            });
            return;
          }
          serve(std::move(socket));
          accept(acceptor);
        });
  }

  void serve(tcp::socket socket) {
    boost::system::error_code gone;
    const tcp::endpoint remote = socket.remote_endpoint(gone);
    if (gone) return;
    auto entry = connections.enter(client_network(remote.address()));
    if (const auto* const refusal = std::get_if<ConnectionList::Refusal>(&entry))
      return turn_away(std::move(socket), *refusal);
    auto place = std::get<std::unique_ptr<ConnectionList::Place>>(std::move(entry));
    const auto connection = tls == nullptr
                                ? make_plain_connection(std::move(socket), *context, std::move(place))
                                : make_tls_connection(std::move(socket), *tls, *context, std::move(place));
    connection->start();
  }

  // Over TLS without a word: a handshake is most of what a connection costs.
  void turn_away(tcp::socket socket, ConnectionList::Refusal refusal) const {
    log::debug("a connection was turned away: {} are open", refusal == ConnectionList::Refusal::kFull
                                                                ? "as many as may"
                                                                : "as many as its address may have");
    if (tls != nullptr) return;
    const std::string text = refusal_text(refusal);
    boost::system::error_code ignored;
    // It fits into the socket's buffer; who does not read it is not waited for.
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(text), ignored);
  }

  void stop(milliseconds grace) {
    // Nobody comes in any more before the first is sent away.
    if (!threads.empty()) close_acceptors();
    for (const auto& connection : connections.all()) connection->drain();
    if (!connections.wait_until_empty(grace)) {
      for (const auto& connection : connections.all()) connection->abort();
      connections.wait_until_empty(kCutTime);
    }
    handlers.join();
    work.reset();
    io.stop();
    for (std::thread& thread : threads) thread.join();
  }

  // On the threads that accept.
  void close_acceptors() {
    std::latch closed(static_cast<std::ptrdiff_t>(acceptors.size()));
    for (tcp::acceptor& acceptor : acceptors) {
      asio::post(acceptor.get_executor(), [&acceptor, &closed] {
        boost::system::error_code ignored;
        acceptor.close(ignored);
        closed.count_down();
      });
    }
    closed.wait();
  }

  ServerOptions options;  // `listen` with the ports that were given
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::thread_pool handlers;
  ConnectionList connections;
  std::unique_ptr<asio::ssl::context> tls;
  std::optional<AccessPolicy> policy;
  std::optional<Front> front;
  std::optional<ConnectionContext> context;
  std::vector<tcp::acceptor> acceptors;
  std::vector<std::thread> threads;
};

HttpServer::HttpServer(ServerOptions options, AccessControl* access, std::vector<Route> routes,
                       RequestObserver observe)
    : options_(std::move(options)),
      access_(access),
      router_(std::make_unique<Router>(std::move(routes))),
      observe_(std::move(observe)) {}

HttpServer::~HttpServer() { stop(milliseconds(0)); }

void HttpServer::start() {
  check_server_options(options_, access_);
  running_ = std::make_unique<Running>(options_, access_, *router_, observe_);
  running_->listen();
}

std::vector<std::string> HttpServer::addresses() const {
  std::vector<std::string> texts;
  if (running_ == nullptr) return texts;
  const std::string_view scheme = running_->tls == nullptr ? "http" : "https";
  for (const std::string& address : running_->options.listen)
    texts.push_back(fmt::format("{}://{}", scheme, address));
  return texts;
}

std::vector<std::string> HttpServer::notices() const { return AccessPolicy(options_, access_).notices(); }

void HttpServer::stop(milliseconds grace) {
  if (running_ == nullptr) return;
  running_->stop(grace);
  running_.reset();
}

void check_server_options(const ServerOptions& options, AccessControl* access) {
  const AccessPolicy policy(options, access);
  open_certificate(options);
}

}  // namespace snug
