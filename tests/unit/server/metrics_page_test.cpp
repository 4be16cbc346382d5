// Goal: the text is what the format says, and its numbers are those of the server. Method: every
// line of a page with known figures is taken apart. (tests/integration/files/live_test.py reads
// real ones with Prometheus' own parser.)

#include "server/metrics_page.h"

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace benchfs::server {
namespace {

wire::MetricsReply metrics() {
  wire::MetricsReply reply;
  reply.server = ServerId{3};
  reply.host = "no\"de\\1\n\x01";
  reply.device = "nvme0n1";
  reply.uptime_ns = 1'500'000'000;
  reply.written_bytes = 12345678901234567ULL;
  reply.cpu_ns = 250'000'000;
  LatencyHistogram latency;
  latency.record(1'000);  // Below the first edge.
  latency.record(4'096);  // On it, so not below.
  latency.record(1'000'000);
  latency.record(60'000'000'000);  // Beyond the last.
  reply.ops.push_back({.op = wire::Op::kWrite,
                       .count = 4,
                       .error_count = 1,
                       .bytes = 999,
                       .latency = wire::to_wire(latency)});
  reply.errors.push_back({.code = static_cast<std::uint16_t>(Errc::kOutOfSpace), .count = 1});
  return reply;
}

struct Parsed {
  std::map<std::string, std::string> types;
  std::map<std::string, std::string> samples;  ///< By name and labels.
};

/// Of every line: in its family, after its HELP and TYPE, each sample once.
void parse(const std::string& page, Parsed& parsed) {
  std::istringstream lines(page);
  std::string line;
  std::string help;
  std::string family;
  const std::regex sample(
      R"re((benchfs_[a-z_]+)(\{server="3"(,[a-z]+="([^"\\]|\\["\\n])*")*\}) ([0-9.e+-]+))re");
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string hash;
    std::string keyword;
    if (line.starts_with("# HELP ")) {
      words >> hash >> keyword >> help;
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      std::string type;
      words >> hash >> keyword >> family >> type;
      ASSERT_EQ(family, help);
      ASSERT_TRUE(parsed.types.emplace(family, type).second) << line;
      continue;
    }
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
    std::string name = match[1];
    if (parsed.types[family] == "histogram") {
      ASSERT_TRUE(name == family + "_bucket" || name == family + "_sum" ||
                  name == family + "_count")
          << line;
    } else {
      ASSERT_EQ(name, family) << line;
    }
    ASSERT_TRUE(parsed.samples.emplace(name + match[2].str(), match[5]).second) << line;
  }
}

class MetricsPage : public testing::Test {
 protected:
  void SetUp() override { parse(metrics_page(metrics()), parsed_); }
  std::string sample(const std::string& name) const {
    const auto found = parsed_.samples.find("benchfs_" + name);
    return found == parsed_.samples.end() ? "none" : found->second;
  }
  Parsed parsed_;
};

TEST_F(MetricsPage, NamesEndWithTheirUnit) {
  EXPECT_GT(parsed_.types.size(), 30U);
  for (const auto& [name, type] : parsed_.types) {
    EXPECT_EQ(name.ends_with("_total"), type == "counter") << name;
    if (type == "histogram") {
      EXPECT_TRUE(name.ends_with("_seconds")) << name;
    }
    EXPECT_TRUE(type == "counter" || type == "gauge" || type == "histogram") << name;
  }
}

TEST_F(MetricsPage, NumbersAreThoseOfTheServer) {
  EXPECT_EQ(sample("uptime_seconds{server=\"3\"}"), "1.5");
  EXPECT_EQ(sample("written_bytes_total{server=\"3\"}"), "12345678901234567");
  EXPECT_EQ(sample("cpu_seconds_total{server=\"3\"}"), "0.25");
  EXPECT_EQ(sample("requests_total{server=\"3\",op=\"write\"}"), "4");
  EXPECT_EQ(sample("request_errors_total{server=\"3\",op=\"write\"}"), "1");
  EXPECT_EQ(sample("request_payload_bytes_total{server=\"3\",op=\"write\"}"), "999");
  EXPECT_EQ(sample("error_replies_total{server=\"3\",error=\"out_of_space\"}"), "1");
}

TEST_F(MetricsPage, BucketsOfAHistogramAreCumulative) {
  const auto bucket = [&](const std::string& edge) {
    return sample("request_duration_seconds_bucket{server=\"3\",op=\"write\",le=\"" + edge + "\"}");
  };
  EXPECT_EQ(bucket("4.096e-06"), "1");
  EXPECT_EQ(bucket("8.192e-06"), "2");
  EXPECT_EQ(bucket("0.001048576"), "3");
  EXPECT_EQ(bucket("17.179869184"), "3");
  EXPECT_EQ(bucket("+Inf"), "4");
  EXPECT_EQ(sample("request_duration_seconds_count{server=\"3\",op=\"write\"}"), "4");
  EXPECT_EQ(sample("request_duration_seconds_sum{server=\"3\",op=\"write\"}"), "60.001005096");
}

TEST_F(MetricsPage, LabelsAreEscaped) {
  const std::string page = metrics_page(metrics());
  EXPECT_NE(page.find(R"(host="no\"de\\1\n?")"), std::string::npos);
}

}  // namespace
}  // namespace benchfs::server
