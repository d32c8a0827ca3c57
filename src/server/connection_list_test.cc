// How many connections there may be, of all clients and of one.
#include <gtest/gtest.h>

#include "server/connection.h"

namespace snug {
namespace {

using Place = std::unique_ptr<ConnectionList::Place>;
using Refusal = ConnectionList::Refusal;

std::string network(const char* address) { return client_network(boost::asio::ip::make_address(address)); }

TEST(ConnectionList, LeavesPlacesToOthersWhenOneClientHasEnough) {
  ConnectionList list(4, 2);
  const std::string one = network("192.0.2.1"), other = network("192.0.2.2");
  auto first = list.enter(one), second = list.enter(one);
  EXPECT_EQ(std::get<Refusal>(list.enter(one)), Refusal::kClientHasEnough);
  const auto third = list.enter(other);
  ASSERT_TRUE(std::holds_alternative<Place>(third));
  std::get<Place>(first).reset();
  const auto fourth = list.enter(one);
  EXPECT_TRUE(std::holds_alternative<Place>(fourth)) << "a place that was left is free";
  const auto fifth = list.enter(other);
  EXPECT_EQ(std::get<Refusal>(list.enter(network("192.0.2.3"))), Refusal::kFull);
}

TEST(ConnectionList, CountsLoopbackOnlyAmongAll) {
  ConnectionList list(3, 1);
  const auto first = list.enter(network("127.0.0.1")), second = list.enter(network("127.0.0.1"));
  const auto third = list.enter(network("::1"));
  EXPECT_TRUE(std::holds_alternative<Place>(third));
  EXPECT_EQ(std::get<Refusal>(list.enter(network("127.0.0.1"))), Refusal::kFull);
}

TEST(ConnectionList, TakesTheAddressesOfOneNetworkOfIpv6ForOneClient) {
  EXPECT_EQ(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
  EXPECT_NE(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
  EXPECT_EQ(network("::ffff:192.0.2.1"), network("192.0.2.1"));
  EXPECT_EQ(network("::ffff:127.0.0.1"), "");
}

}  // namespace
}  // namespace snug
