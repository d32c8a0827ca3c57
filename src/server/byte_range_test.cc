// Ranges of bytes: what a player may ask for, and what nobody should.
#include "server/byte_range.h"

#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace snug {
namespace {

HttpResponse of_ten_bytes() {
  HttpResponse whole = empty_response(200);
  whole.headers.set("ETag", "\"abc\"");
  std::vector<std::byte> bytes;
  for (const char letter : std::string("0123456789")) bytes.push_back(static_cast<std::byte>(letter));
  whole.bytes = std::make_shared<const std::vector<std::byte>>(bytes);
  return whole;
}

HttpRequest asking(const std::string& range, const std::string& condition = {}) {
  HttpRequest request;
  request.method = "GET";
  if (!range.empty()) request.headers.add("Range", range);
  if (!condition.empty()) request.headers.add("If-Range", condition);
  return request;
}

// "206 bytes 0-4/10: 01234"
std::string answer_to(const HttpRequest& request) {
  const HttpResponse response = part_asked_for(request, of_ten_bytes());
  std::string text = std::to_string(response.status) + " " +
                     std::string(response.headers.find("Content-Range").value_or("-")) + ": ";
  if (response.status == 416) return text;
  for (const std::byte byte : *response.bytes) text += static_cast<char>(byte);
  return text;
}

const char* const kWhole = "200 -: 0123456789";

TEST(ByteRange, IsThePartThatWasAskedFor) {
  EXPECT_EQ(answer_to(asking("bytes=0-4")), "206 bytes 0-4/10: 01234");
  EXPECT_EQ(answer_to(asking("bytes=0-0")), "206 bytes 0-0/10: 0");
  EXPECT_EQ(answer_to(asking("bytes=7-")), "206 bytes 7-9/10: 789");
  EXPECT_EQ(answer_to(asking("bytes=-3")), "206 bytes 7-9/10: 789");
  EXPECT_EQ(answer_to(asking("bytes=9-9")), "206 bytes 9-9/10: 9");
  EXPECT_EQ(answer_to(asking("bytes= 2 - 3 ")), "206 bytes 2-3/10: 23");
}

TEST(ByteRange, EndsWithWhatThereIs) {
  EXPECT_EQ(answer_to(asking("bytes=5-100")), "206 bytes 5-9/10: 56789");
  EXPECT_EQ(answer_to(asking("bytes=-100")), "206 bytes 0-9/10: 0123456789");
  EXPECT_EQ(answer_to(asking("bytes=0-18446744073709551615")), "206 bytes 0-9/10: 0123456789");
}

TEST(ByteRange, BehindTheEndIsRefusedWithTheSize) {
  EXPECT_EQ(answer_to(asking("bytes=10-")), "416 bytes */10: ");
  EXPECT_EQ(answer_to(asking("bytes=10-20")), "416 bytes */10: ");
  EXPECT_EQ(answer_to(asking("bytes=-0")), "416 bytes */10: ");
}

TEST(ByteRange, ThatIsNoneIsPassedOver) {
  for (const char* const range :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5", "bytes=4-3", "bytes=1-2,4-5", "bytes=--1",
        "bytes=+1-2", "bytes=0x1-2", "bytes=99999999999999999999-", "lines=0-4", "Bytes=0-4", "bytes =0-4"}) {
    EXPECT_EQ(answer_to(asking(range)), kWhole) << range;
  }
  HttpRequest twice = asking("bytes=0-4");
  twice.headers.add("Range", "bytes=5-6");
  EXPECT_EQ(answer_to(twice), kWhole);
  HttpRequest head = asking("bytes=0-4");
  head.method = "HEAD";
  EXPECT_EQ(answer_to(head), kWhole);
}

TEST(ByteRange, OfWhatHasChangedIsTheWhole) {
  EXPECT_EQ(answer_to(asking("bytes=0-4", "\"abc\"")), "206 bytes 0-4/10: 01234");
  EXPECT_EQ(answer_to(asking("bytes=0-4", "\"other\"")), kWhole);
  EXPECT_EQ(answer_to(asking("bytes=0-4", "Sat, 29 Oct 1994 19:43:31 GMT")), kWhole);
}

TEST(ByteRange, OfNothingIsNothing) {
  HttpResponse empty = empty_response(200);
  empty.bytes = std::make_shared<const std::vector<std::byte>>();
  EXPECT_EQ(part_asked_for(asking("bytes=0-4"), empty).status, 200);
}

TEST(ByteRange, AnswersSayThatPartsCanBeHad) {
  EXPECT_EQ(part_asked_for(asking(""), of_ten_bytes()).headers.find("Accept-Ranges"), "bytes");
  EXPECT_EQ(part_asked_for(asking("bytes=1-2"), of_ten_bytes()).headers.find("Accept-Ranges"), "bytes");
}

}  // namespace
}  // namespace snug
