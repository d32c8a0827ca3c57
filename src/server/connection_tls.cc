#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "server/connection_impl.h"

namespace snug {

std::shared_ptr<Connection> make_tls_connection(asio::ip::tcp::socket socket, asio::ssl::context& tls,
                                                const ConnectionContext& context,
                                                std::unique_ptr<ConnectionList::Place> place) {
  using Transport = asio::ssl::stream<asio::ip::tcp::socket>;
  return std::make_shared<HttpConnection<Transport>>(Transport(std::move(socket), tls), context,
                                                     std::move(place));
}

}  // namespace snug
