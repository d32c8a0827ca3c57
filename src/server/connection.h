// What http_server.cc knows of its connections, and what they share. The two kinds are made in
// connection_plain.cc and connection_tls.cc, which alone pay for compiling connection_impl.h.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>

#include "server/exchange.h"
#include "server/request_log.h"
#include "server/server_options.h"

namespace boost::asio::ssl {
class context;
}

namespace snug {

class Connection {
 public:
  virtual ~Connection() = default;
  // All may be called from any thread.
  virtual void start() = 0;
  // Finish the request that is under way, end streams, take no other.
  virtual void drain() = 0;
  virtual void abort() = 0;
};

// Whose connections are counted together: the address, of IPv6 its first 64 bits, since a single machine may
// have all of a /64. Empty for loopback, where the limit of one client does not hold: a proxy on this machine
// brings everybody's connections, and a local user could take all places by other means.
std::string client_network(const boost::asio::ip::address& address);

// The open connections: at most so many, of all clients and of one, and who they are when the server stops.
// Safe from any thread.
class ConnectionList {
 public:
  ConnectionList(size_t most, size_t most_per_client) : most_(most), most_per_client_(most_per_client) {}

  // A place in the list, given up when destroyed. Must not outlive the list.
  class Place {
   public:
    Place(ConnectionList& list, uint64_t id, std::string client)
        : list_(list), id_(id), client_(std::move(client)) {}
    ~Place() { list_.leave(id_, client_); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    void hold(const std::weak_ptr<Connection>& connection) { list_.set(id_, connection); }

   private:
    ConnectionList& list_;
    uint64_t id_;
    std::string client_;
  };
  enum class Refusal : uint8_t { kFull, kClientHasEnough };
  // `client`: as client_network() says it; empty: of no one in particular.
  std::variant<std::unique_ptr<Place>, Refusal> enter(const std::string& client);

  std::vector<std::shared_ptr<Connection>> all();
  bool wait_until_empty(std::chrono::milliseconds most);

 private:
  friend class Place;
  void leave(uint64_t id, const std::string& client);
  void set(uint64_t id, const std::weak_ptr<Connection>& connection);

  const size_t most_, most_per_client_;
  std::mutex mutex_;
  std::condition_variable emptied_;
  std::unordered_map<uint64_t, std::weak_ptr<Connection>> connections_;
  std::unordered_map<std::string, size_t> of_client_;  // those that have any
  uint64_t next_id_ = 0;
};

// Outlives all connections.
struct ConnectionContext {
  const Front& front;
  const ServerLimits& limits;
  boost::asio::thread_pool& handlers;  // where routes run
  const RequestObserver& observe;
};

std::shared_ptr<Connection> make_plain_connection(boost::asio::ip::tcp::socket socket,
                                                  const ConnectionContext& context,
                                                  std::unique_ptr<ConnectionList::Place> place);
std::shared_ptr<Connection> make_tls_connection(boost::asio::ip::tcp::socket socket,
                                                boost::asio::ssl::context& tls,
                                                const ConnectionContext& context,
                                                std::unique_ptr<ConnectionList::Place> place);

}  // namespace snug
