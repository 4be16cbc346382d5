// Goal: what top and report show is the difference of two answers, exactly; a server or drive that
// is slower than the others stands out, and noise does not. Method: answers made up by the test.

#include "launcher/figures.h"

#include <random>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "launcher/figures_page.h"

namespace benchfs::launcher {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

/// A server that is up, and has done nothing.
MetricsAnswer answer(std::uint64_t uptime_s) {
  MetricsAnswer answer;
  answer.state = ServerState::kUp;
  answer.metrics.pid = 7;
  answer.metrics.incarnation = 1;
  answer.metrics.uptime_ns = uptime_s * kSecond;
  answer.metrics.device = "nvme0n1";
  return answer;
}

struct Work {
  std::uint64_t count = 0;
  std::uint64_t each_ns = 0;
};

LatencyHistogram recorded(const std::vector<Work>& work) {
  LatencyHistogram latency;
  for (const Work& part : work) {
    for (std::uint64_t i = 0; i < part.count; ++i) {
      latency.record(part.each_ns);
    }
  }
  return latency;
}

void set_drive_writes(MetricsAnswer& answer, const std::vector<Work>& work) {
  const LatencyHistogram latency = recorded(work);
  answer.metrics.drive_write.count = latency.count();
  answer.metrics.drive_write.latency = wire::to_wire(latency);
}

void set_requests(MetricsAnswer& answer, wire::Op op, std::uint64_t bytes,
                  const std::vector<Work>& work) {
  const LatencyHistogram latency = recorded(work);
  answer.metrics.ops.push_back(
      {.op = op, .count = latency.count(), .bytes = bytes, .latency = wire::to_wire(latency)});
}

Figures figures_of(const std::vector<MetricsAnswer>& now,
                   const std::vector<MetricsAnswer>& before = {}) {
  session::Session session;
  session.servers.resize(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    session.servers[i].host = "node" + std::to_string(i);
  }
  return make_figures(session, now, before);
}

/// The outliers of drive writes among servers that do this.
std::vector<std::size_t> outliers_among(const std::vector<std::vector<Work>>& servers) {
  std::vector<MetricsAnswer> now;
  for (const auto& work : servers) {
    now.push_back(answer(10));
    set_drive_writes(now.back(), work);
  }
  std::vector<std::size_t> found;
  const Figures figures = figures_of(now);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!figures.servers[i].outliers.empty()) {
      found.push_back(i);
    }
  }
  return found;
}

using Numbers = std::vector<std::size_t>;

TEST(Figures, AreTheDifferenceOfTwoAnswers) {
  MetricsAnswer before = answer(10);
  set_requests(before, wire::Op::kWrite, 1000, {{5, 1'000}});
  before.metrics.written_bytes = 1000;
  before.metrics.errors = {{.code = 1, .count = 2}};
  MetricsAnswer now = answer(12);
  set_requests(now, wire::Op::kWrite, 1700, {{5, 1'000}, {3, 2'000'000}});
  set_requests(now, wire::Op::kRead, 50, {{1, 500}});
  now.metrics.written_bytes = 1700;
  now.metrics.errors = {{.code = 1, .count = 2}, {.code = 8, .count = 1}};

  const Figures figures = figures_of({now}, {before});
  const ServerFigures& server = figures.servers.at(0);
  EXPECT_EQ(server.time_ns, 2 * kSecond);
  EXPECT_FALSE(server.restarted);
  EXPECT_EQ(server.requests.at("write").count, 3U);
  EXPECT_EQ(server.requests.at("write").bytes, 700U);
  EXPECT_EQ(server.requests.at("write").latency.count(), 3U);
  EXPECT_EQ(server.requests.at("write").latency.max_ns(), 2'000'000U);
  EXPECT_EQ(server.requests.at("read").count, 1U);
  EXPECT_EQ(server.written_bytes, 700U);
  EXPECT_EQ(server.errors, (std::map<std::string, std::uint64_t>{{"out_of_space", 1}}));
  EXPECT_EQ(all_requests(figures.total).count, 4U);
}

TEST(Figures, AServerThatStartedAgainBeginsAtZero) {
  MetricsAnswer before = answer(100);
  set_requests(before, wire::Op::kWrite, 1000, {{5, 1'000}});
  MetricsAnswer now = answer(1);
  now.metrics.incarnation = 2;
  set_requests(now, wire::Op::kWrite, 10, {{2, 1'000}});
  const Figures figures = figures_of({now}, {before});
  EXPECT_TRUE(figures.servers[0].restarted);
  EXPECT_EQ(figures.servers[0].requests.at("write").count, 2U);
  EXPECT_EQ(figures.servers[0].time_ns, kSecond);
}

TEST(Figures, AServerThatDoesNotAnswerIsARowThatSaysSo) {
  MetricsAnswer silent;
  silent.trouble = "no answer in time";
  const Figures figures = figures_of({answer(1), silent}, {answer(0), answer(0)});
  EXPECT_EQ(figures.total.now.capacity_bytes, 0U);
  const std::string page = top_page(figures, Emphasis::kNone);
  EXPECT_NE(page.find("1 of 2 servers answer"), std::string::npos) << page;
  EXPECT_NE(page.find("server 1: not answering: no answer in time"), std::string::npos) << page;
  const auto json = nlohmann::json::parse(figures_json(figures));
  EXPECT_EQ(json["up_count"], 1);
  EXPECT_EQ(json["servers"][1]["state"], "not answering");
  EXPECT_EQ(json["servers"][1]["trouble"], "no answer in time");
  EXPECT_FALSE(json["servers"][1].contains("requests"));
}

TEST(Figures, ASlowDriveStandsOut) {
  EXPECT_EQ(outliers_among({{{50, 300'000}}, {{50, 1'000'000}}, {{50, 310'000}}}), Numbers{1});
  EXPECT_EQ(outliers_among({{{50, 5'000'000}}, {{50, 300'000}}}), Numbers{0});
  // Among many, two of them.
  std::vector<std::vector<Work>> many(16, {{50, 200'000}});
  many[3] = many[9] = {{50, 4'000'000}};
  EXPECT_EQ(outliers_among(many), (Numbers{3, 9}));
}

TEST(Figures, WhatIsNearTheOthersOrTooFewToTellDoesNotStandOut) {
  EXPECT_EQ(outliers_among({{{50, 300'000}}}), Numbers{}) << "nobody to compare with";
  EXPECT_EQ(outliers_among({{{50, 300'000}}, {{50, 800'000}}}), Numbers{}) << "not three times";
  EXPECT_EQ(outliers_among({{{50, 10'000}}, {{50, 90'000}}}), Numbers{}) << "less than 100 us";
  EXPECT_EQ(outliers_among({{{50, 300'000}}, {{9, 9'000'000}}}), Numbers{}) << "only 9";
  EXPECT_EQ(outliers_among({{{50, 300'000}}, {}}), Numbers{}) << "one does nothing";
  EXPECT_EQ(outliers_among({{{11, 300'000}, {9, 3'000'000}}, {{9, 300'000}, {11, 3'000'000}}}),
            Numbers{})
      << "the same mixture, but for one operation";
}

TEST(Figures, ALongTailStandsOut) {
  EXPECT_EQ(outliers_among({{{1000, 300'000}}, {{960, 300'000}, {40, 20'000'000}}}), Numbers{1});
  EXPECT_EQ(outliers_among({{{1000, 300'000}}, {{999, 300'000}, {1, 20'000'000}}}), Numbers{});
}

TEST(Figures, ADriveThatEndsNothingStandsOut) {
  MetricsAnswer before = answer(10);
  before.metrics.drive_in_flight = 3;
  MetricsAnswer now = answer(11);
  now.metrics.drive_in_flight = 4;
  const Figures figures = figures_of({now}, {before});
  ASSERT_EQ(figures.servers[0].outliers.size(), 1U);
  EXPECT_EQ(figures.servers[0].outliers[0].figure, "stalled");
}

TEST(Figures, TheOutlierIsInTheReportInTheJsonAndInReverseOnATerminal) {
  std::vector<MetricsAnswer> now(3, answer(10));
  for (MetricsAnswer& server : now) {
    set_drive_writes(server, {{50, 300'000}});
  }
  set_drive_writes(now[2], {{50, 30'000'000}});
  now[2].metrics.device = "nvme7n1";
  const Figures figures = figures_of(now);
  const auto json = nlohmann::json::parse(figures_json(figures));
  EXPECT_EQ(json["servers"][2]["stands_out"][0]["what"], "drive.write");
  EXPECT_TRUE(json["servers"][0]["stands_out"].empty());
  EXPECT_EQ(json["devices"].size(), 3U);
  EXPECT_EQ(json["devices"][2]["write"]["stands_out"], true);
  EXPECT_EQ(json["devices"][2]["read"]["stands_out"], false);
  EXPECT_EQ(json["devices"][0]["write"]["stands_out"], false);
  EXPECT_NE(report_page(figures).find("server 2 (device nvme7n1 of node2) stands out: drive write"),
            std::string::npos);
  const std::string screen = top_page(figures, Emphasis::kTerminal);
  const std::size_t reverse = screen.find("\x1b[7m");
  ASSERT_NE(reverse, std::string::npos);
  EXPECT_EQ(screen.find("2  node2", reverse) - reverse, 9U) << screen;
  EXPECT_EQ(screen.find("\x1b[7m", reverse + 1), std::string::npos) << "one line only";
  EXPECT_EQ(top_page(figures, Emphasis::kNone).find('\x1b'), std::string::npos);
}

TEST(Figures, ServersOfOneDriveAreOneDevice) {
  std::vector<MetricsAnswer> now(2, answer(10));
  for (MetricsAnswer& server : now) {
    set_drive_writes(server, {{50, 300'000}});
  }
  session::Session session;
  session.servers.resize(2);
  session.servers[0].host = session.servers[1].host = "node";
  const auto devices = devices_of(make_figures(session, now, {}));
  ASSERT_EQ(devices.size(), 1U);
  EXPECT_EQ(devices[0].servers, (Numbers{0, 1}));
  EXPECT_EQ(devices[0].drive[1].count, 100U);
}

TEST(Figures, LatenciesAreWrittenInTheUnitThatFits) {
  EXPECT_EQ(format_latency(0), "-");
  EXPECT_EQ(format_latency(850), "850 ns");
  EXPECT_EQ(format_latency(12'340), "12.3 us");
  EXPECT_EQ(format_latency(123'400), "123 us");
  EXPECT_EQ(format_latency(4'000'000), "4.0 ms");
  EXPECT_EQ(format_latency(1'200'000'000), "1.20 s");
}

}  // namespace
}  // namespace benchfs::launcher
