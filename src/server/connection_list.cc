#include "server/connection.h"

namespace snug {

std::string client_network(const boost::asio::ip::address& address) {
  if (address.is_loopback()) return {};
  if (address.is_v4()) return address.to_string();
  if (address.to_v6().is_v4_mapped())
    return client_network(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6()));
  const auto bytes = address.to_v6().to_bytes();
  return {bytes.begin(), bytes.begin() + 8};
}

std::variant<std::unique_ptr<ConnectionList::Place>, ConnectionList::Refusal> ConnectionList::enter(
    const std::string& client) {
  const std::scoped_lock lock(mutex_);
  if (connections_.size() >= most_) return Refusal::kFull;
  if (!client.empty()) {
    size_t& own = of_client_[client];
    if (own >= most_per_client_) return Refusal::kClientHasEnough;
    ++own;
  }
  const uint64_t id = next_id_++;
  connections_.emplace(id, std::weak_ptr<Connection>());
  return std::make_unique<Place>(*this, id, client);
}

std::vector<std::shared_ptr<Connection>> ConnectionList::all() {
  std::vector<std::shared_ptr<Connection>> alive;
  const std::scoped_lock lock(mutex_);
  for (const auto& [id, connection] : connections_) {
    if (auto held = connection.lock()) alive.push_back(std::move(held));
  }
  return alive;
}

bool ConnectionList::wait_until_empty(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  return emptied_.wait_for(lock, most, [this] { return connections_.empty(); });
}

void ConnectionList::leave(uint64_t id, const std::string& client) {
  const std::scoped_lock lock(mutex_);
  connections_.erase(id);
  if (const auto own = of_client_.find(client); own != of_client_.end() && --own->second == 0)
    of_client_.erase(own);
  if (connections_.empty()) emptied_.notify_all();
}

void ConnectionList::set(uint64_t id, const std::weak_ptr<Connection>& connection) {
  const std::scoped_lock lock(mutex_);
  connections_[id] = connection;
}

}  // namespace snug
