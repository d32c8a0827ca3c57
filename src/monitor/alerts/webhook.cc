#include "monitor/alerts/webhook.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "base/version.h"

namespace snug {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes kBetweenWarnings{1};
constexpr size_t kMostAnswerBytes = 64 * 1024;

Error no_address(const std::string& url, const char* problem) {
  return {ErrorCode::kInvalidArgument, fmt::format("the webhook '{}' {}", url, problem),
          "write http://host:port/path or https://host/path"};
}

}  // namespace

WebhookAddress parse_webhook_address(const std::string& url) {
  WebhookAddress address;
  for (const unsigned char letter : url) {
    if (letter <= ' ' || letter == 0x7f) throw no_address(url, "has a space or a control character in it");
  }
  address.is_tls = url.starts_with("https://");
  if (!address.is_tls && !url.starts_with("http://")) throw no_address(url, "is neither http nor https");
  std::string rest = url.substr(address.is_tls ? 8 : 7);
  const size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  address.path = rest.substr(slash);
  if (const size_t mark = address.path.find('#'); mark != std::string::npos) address.path.resize(mark);
  if (!address.path.starts_with('/')) address.path.insert(0, "/");
  rest.resize(slash);
  if (rest.find('@') != std::string::npos) throw no_address(url, "has a user name, which is not supported");
  size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const size_t end = rest.find(']');
    if (end == std::string::npos) throw no_address(url, "has a bracket that does not close");
    if (end + 1 < rest.size() && rest[end + 1] != ':') throw no_address(url, "has no port behind its host");
    address.host = rest.substr(1, end - 1);
    colon = end + 1 < rest.size() ? end + 1 : std::string::npos;
  } else {
    address.host = rest.substr(0, colon);
  }
  address.port = colon == std::string::npos ? (address.is_tls ? "443" : "80") : rest.substr(colon + 1);
  const bool is_number = !address.port.empty() && address.port.size() <= 5 &&
                         address.port.find_first_not_of("0123456789") == std::string::npos;
  if (address.host.empty()) throw no_address(url, "has no host");
  if (!is_number || std::stoi(address.port) < 1 || std::stoi(address.port) > 65535) {
    throw no_address(url, "has a port that is none");
  }
  return address;
}

class Webhook::Impl {
 public:
  explicit Impl(WebhookOptions options)
      : options_(std::move(options)), address_(parse_webhook_address(options_.url)) {
    thread_ = std::thread([this] { loop(); });
  }
  ~Impl() {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    io_.stop();
    thread_.join();
  }

  void send(std::string json) {
    {
      const std::scoped_lock lock(mutex_);
      if (waiting_.size() >= options_.most_waiting) {
        waiting_.pop_front();
        ++counts_.dropped;
      }
      waiting_.push_back(std::move(json));
    }
    changed_.notify_all();
  }

  WebhookCounts counts() const {
    const std::scoped_lock lock(mutex_);
    return counts_;
  }

 private:
  // Empty: delivered. `is_final`: trying again would not help.
  struct Outcome {
    std::string problem;
    bool is_final = false;
  };

  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      const std::string json = std::move(waiting_.front());
      waiting_.pop_front();
      for (size_t attempt = 0;; ++attempt) {
        lock.unlock();
        const Outcome outcome = try_once(json);
        lock.lock();
        if (stopping_) return;
        if (outcome.problem.empty()) {
          ++counts_.delivered;
          break;
        }
        warn(outcome.problem);
        if (outcome.is_final || attempt == options_.waits.size()) {
          ++counts_.failed;
          break;
        }
        if (changed_.wait_for(lock, options_.waits[attempt], [&] { return stopping_; })) return;
      }
    }
  }

  void warn(const std::string& problem) {
    const auto now = Clock::now();
    if (warned_ && now - *warned_ < kBetweenWarnings) return;
    warned_ = now;
    log::warn("the webhook for alerts at {}:{} does not take them: {}", address_.host, address_.port,
              problem);
  }

  Outcome try_once(const std::string& json) {
    try {
      const unsigned status = post(json);
      if (status >= 200 && status < 300) return {};
      return {fmt::format("it answers {}", status), status != 429 && status < 500};
    } catch (const boost::system::system_error& error) {
      return {error.code().message(), false};
    }
  }

  // Starts one operation and waits for its end. Operations on a stream end by its own time limit, and are
  // waited for: they use the stream until then. A look-up may go on in the system, and is left to itself.
  template <typename Start>
  void finish(const Start& start, std::optional<Clock::time_point> end = {}) {
    const auto result = std::make_shared<std::optional<beast::error_code>>();
    io_.restart();
    {
      // The destructor's stop() may have come before restart().
      const std::scoped_lock lock(mutex_);
      if (stopping_) throw boost::system::system_error(asio::error::operation_aborted);
    }
    start([result](beast::error_code code, auto&&...) { *result = code; });
    while (!*result && (end ? io_.run_one_until(*end) : io_.run_one()) > 0) {
    }
    if (!*result)
      throw boost::system::system_error(end ? asio::error::timed_out : asio::error::operation_aborted);
    if (**result) throw boost::system::system_error(**result);
  }
  template <typename Stream, typename Start>
  void finish_on(Stream& stream, const Start& start) {
    beast::get_lowest_layer(stream).expires_after(options_.timeout);
    finish(start);
  }

  unsigned post(const std::string& json) {
    asio::ip::tcp::resolver resolver(io_);
    // By value into what is shared: a look-up may end after the wait for it has.
    const auto found = std::make_shared<asio::ip::tcp::resolver::results_type>();
    finish(
        [&](auto done) {
          resolver.async_resolve(
              address_.host, address_.port,
              [found, done](beast::error_code code, asio::ip::tcp::resolver::results_type got) {
                *found = std::move(got);
                done(code);
              });
        },
        Clock::now() + options_.timeout);
    if (!address_.is_tls) {
      beast::tcp_stream stream(io_);
      finish_on(stream, [&](auto done) { stream.async_connect(*found, done); });
      return exchange(stream, json);
    }
    asio::ssl::context tls(asio::ssl::context::tls_client);
    tls.set_default_verify_paths();
    tls.set_verify_mode(asio::ssl::verify_peer);
    beast::ssl_stream<beast::tcp_stream> stream(io_, tls);
    stream.set_verify_callback(asio::ssl::host_name_verification(address_.host));
    if (::SSL_set_tlsext_host_name(stream.native_handle(), address_.host.c_str()) != 1) {
      throw boost::system::system_error(asio::error::invalid_argument);
    }
    finish_on(stream, [&](auto done) { beast::get_lowest_layer(stream).async_connect(*found, done); });
    finish_on(stream, [&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
    return exchange(stream, json);
  }

  template <typename Stream>
  unsigned exchange(Stream& stream, const std::string& json) {
    http::request<http::string_body> request(http::verb::post, address_.path, 11);
    const bool is_v6 = address_.host.find(':') != std::string::npos;
    request.set(http::field::host,
                fmt::format("{}{}{}:{}", is_v6 ? "[" : "", address_.host, is_v6 ? "]" : "", address_.port));
    request.set(http::field::user_agent, fmt::format("snug/{}", kVersion));
    request.set(http::field::content_type, "application/json");
    request.keep_alive(false);
    request.body() = json;
    request.prepare_payload();
    finish_on(stream, [&](auto done) { http::async_write(stream, request, done); });
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> answer;
    answer.body_limit(kMostAnswerBytes);
    finish_on(stream, [&](auto done) { http::async_read_header(stream, buffer, answer, done); });
    return answer.get().result_int();
  }

  const WebhookOptions options_;
  const WebhookAddress address_;
  asio::io_context io_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> waiting_;  // guarded by mutex_, as all that follows
  WebhookCounts counts_;
  std::optional<Clock::time_point> warned_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

Webhook::Webhook(WebhookOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Webhook::~Webhook() = default;
void Webhook::send(std::string json) { impl_->send(std::move(json)); }
WebhookCounts Webhook::counts() const { return impl_->counts(); }

}  // namespace snug
