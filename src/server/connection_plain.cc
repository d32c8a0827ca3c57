#include "server/connection_impl.h"

namespace snug {

std::shared_ptr<Connection> make_plain_connection(asio::ip::tcp::socket socket,
                                                  const ConnectionContext& context,
                                                  std::unique_ptr<ConnectionList::Place> place) {
  return std::make_shared<HttpConnection<asio::ip::tcp::socket>>(std::move(socket), context,
                                                                 std::move(place));
}

}  // namespace snug
