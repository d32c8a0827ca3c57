#include "server/connection.h"

namespace snug {

std::unique_ptr<ConnectionList::Place> ConnectionList::enter() {
  const std::scoped_lock lock(mutex_);
  if (connections_.size() >= most_) return nullptr;
  const uint64_t id = next_id_++;
  connections_.emplace(id, std::weak_ptr<Connection>());
  return std::make_unique<Place>(*this, id);
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

void ConnectionList::leave(uint64_t id) {
  const std::scoped_lock lock(mutex_);
  connections_.erase(id);
  if (connections_.empty()) emptied_.notify_all();
}

void ConnectionList::set(uint64_t id, const std::weak_ptr<Connection>& connection) {
  const std::scoped_lock lock(mutex_);
  connections_[id] = connection;
}

}  // namespace snug
