// Goal: the simulation repeats itself, its checkers refuse what cannot be, and seeds that once
// found something stay found. Method: runs and histories made by hand, beside what must come of
// them.

#include <gtest/gtest.h>

#include "base/log.h"
#include "sim/file_model.h"
#include "sim/race_order.h"
#include "sim/simulation.h"
#include "sim/tree_model.h"

namespace benchfs::sim {
namespace {

class Quiet : public testing::Test {
 protected:
  void SetUp() override { configure_log(static_cast<LogLevel>(-1), "sim"); }
};
using Simulation = Quiet;

TEST_F(Simulation, OneSeedIsOneStory) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Report first = simulate(make_plan(seed));
    // What lies elsewhere in memory by now must not matter.
    const std::vector<std::byte> other(1000 * seed);
    const Report second = simulate(make_plan(seed));
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.counts, second.counts);
    EXPECT_EQ(first.violation, "");
  }
  EXPECT_NE(simulate(make_plan(1)).trace_hash, simulate(make_plan(2)).trace_hash);
}

/// Seeds that found a defect when they were first run; what they meet today may have shifted.
struct Story {
  const char* what;
  std::uint64_t seed;
};

class Stories : public testing::TestWithParam<Story> {};

TEST_P(Stories, NoPromiseIsBroken) {
  configure_log(static_cast<LogLevel>(-1), "sim");
  Plan plan = make_plan(GetParam().seed);
  plan.do_locks = false;  // They were found without.
  const Report report = simulate(plan);
  EXPECT_EQ(report.violation, "") << "simulate --seed " << GetParam().seed;
}

INSTANTIATE_TEST_SUITE_P(
    All, Stories,
    testing::Values(Story{"CloseMeetsAHomeThatHasStartedAgain", 419},
                    Story{"TruncateThatFailsKeepsTheSize", 682},
                    Story{"ServerThatWasCutOffHearsOfARestart", 1212},
                    Story{"OpenAnsweredOverAConnectionThatIsLost", 550},
                    Story{"AppenderIsAwayWhileAllOthersClose", 14838606504246},
                    Story{"WriteIsDoneAgainAfterAPowerCut", 14838606505062},
                    Story{"NameIsUsedAgainWhileItsFolderMoves", 14838606507878},
                    Story{"CloseTellsAnEndThatPowerTook", 8635512612625},
                    Story{"WriteIsRepeatedAfterAKillAndATruncate", 8635512606694},
                    Story{"FolderGoesWhileACutOffServerHasMoreForIt", 4674605508652},
                    Story{"HomeStartsAgainAndAgainDuringAClose", 10949737164748},
                    Story{"PowerFailsTwiceInARowAndIdsAreNotGivenAgain", 13802066662359},
                    Story{"FolderIsLostThatAClientStillKnowsAndAServerHoldsEntriesOf",
                          4973402183827},
                    Story{"PowerTakesTheNewsOfWhoHoldsEntries", 7670935217508}),
    [](const auto& tested) { return std::string(tested.param.what); });

// ---- The model of a file

placement::Striping one_server() {
  return {.file = make_inode_id(ServerId{0}, 5),
          .chunk_bytes = 4096,
          .stripe_count = 1,
          .server_count = 1};
}

void pass_time(World& world) {
  world.after(kNsPerMs, "tick", 0, 0, [] {});
  world.step();
}

struct ModelTest : Quiet {
  void read(std::uint64_t value, std::uint64_t count) {
    std::vector<std::byte> bytes(100);
    fill_pattern(value, 0, bytes);
    const auto look = model.begin_look();
    model.end_read(look, 0, bytes, count);
  }
  std::uint64_t write(Ended how) {
    pass_time(world);
    const std::uint64_t id = model.begin_write(0, 100);
    pass_time(world);
    model.end(id, how);
    pass_time(world);
    return id;
  }
  World world{1};
  FileModel model{world, "file", one_server(), true};
};

TEST_F(ModelTest, AnAcknowledgedWriteIsAllThatMayBeRead) {
  const std::uint64_t first = write(Ended::kDone);
  const std::uint64_t second = write(Ended::kDone);
  read(second, 100);
  EXPECT_FALSE(world.failed());
  read(first, 100);
  EXPECT_TRUE(world.failed());
}

TEST_F(ModelTest, AWriteThatFailedIsThereOrNotButDoesNotComeAndGo) {
  const std::uint64_t first = write(Ended::kDone);
  const std::uint64_t second = write(Ended::kMaybe);
  read(first, 100);
  read(second, 100);
  EXPECT_FALSE(world.failed()) << world.violation();
  pass_time(world);
  read(first, 100);
  EXPECT_TRUE(world.failed());
}

TEST_F(ModelTest, APowerCutBringsBackWhatWasNotSyncedOnly) {
  const std::uint64_t first = write(Ended::kDone);
  const auto look = model.begin_look();
  model.end_fsync(look, 0);
  const std::uint64_t second = write(Ended::kDone);
  model.power_cut(ServerId{0});
  pass_time(world);
  read(first, 100);
  EXPECT_FALSE(world.failed()) << world.violation();
  pass_time(world);
  read(second, 100);
  EXPECT_TRUE(world.failed()) << "it was gone already";
}

TEST_F(ModelTest, WhatWasSyncedSurvivesAPowerCut) {
  write(Ended::kDone);
  const auto look = model.begin_look();
  model.end_fsync(look, 0);
  model.power_cut(ServerId{0});
  pass_time(world);
  read(0, 100);
  EXPECT_TRUE(world.failed());
}

TEST_F(ModelTest, AnFsyncVouchesForWhatWasWrittenBeforeAPowerCutThatItDoesNotTell) {
  const std::uint64_t first = write(Ended::kDone);
  model.end_fsync(model.begin_look(), 0);
  const std::uint64_t opened_ns = world.now_ns();
  write(Ended::kDone);
  model.power_cut(ServerId{0});
  pass_time(world);
  model.end_fsync(model.begin_look(), opened_ns);
  pass_time(world);
  read(first, 100);
  EXPECT_TRUE(world.failed());
}

TEST_F(ModelTest, AnFsyncVouchesForNothingThatAPowerCutTookOfWhichItsHandleWasTold) {
  const std::uint64_t first = write(Ended::kDone);
  model.end_fsync(model.begin_look(), 0);
  write(Ended::kDone);
  model.power_cut(ServerId{0});
  pass_time(world);
  const std::uint64_t told_ns = world.now_ns();
  pass_time(world);
  model.end_fsync(model.begin_look(), told_ns);
  pass_time(world);
  read(first, 100);
  EXPECT_FALSE(world.failed()) << world.violation();
}

TEST_F(ModelTest, AWriteThatIsUnderWayAtAPowerCutMayBeDoneAgain) {
  const std::uint64_t early = model.begin_write(0, 100);
  pass_time(world);
  read(early, 100);
  model.power_cut(ServerId{0});
  pass_time(world);
  const std::uint64_t late = write(Ended::kDone);
  read(late, 100);
  pass_time(world);
  model.end(early, Ended::kDone);
  pass_time(world);
  read(early, 100);
  EXPECT_FALSE(world.failed()) << world.violation();
  const std::uint64_t last = write(Ended::kDone);
  pass_time(world);
  read(last, 100);
  EXPECT_FALSE(world.failed()) << world.violation();
  read(early, 100);
  EXPECT_TRUE(world.failed()) << "it has ended before the last one";
}

TEST_F(ModelTest, TheSizeIsNeverLessThanWhatWasWritten) {
  write(Ended::kDone);
  const auto look = model.begin_look();
  model.end_stat(look, 99);
  EXPECT_TRUE(world.failed());
}

// ---- The order of calls

using Kind = RaceCall::Kind;
constexpr RacePath kA{.top = 0, .depth = 0};
constexpr RacePath kB{.top = 1, .depth = 0};
constexpr RacePath kInA{.top = 0, .depth = 1};
constexpr RacePath kInB{.top = 1, .depth = 1};

RaceCall call(Kind kind, std::uint64_t from, std::uint64_t to, bool done,
              Errc error = Errc::kNotFound) {
  return {.kind = kind,
          .walked_from_ns = from,
          .began_ns = from,
          .ended_ns = to,
          .done = done,
          .error = error};
}
RaceCall on(RacePath path, RaceCall call, RacePath to = {}) {
  call.path = path;
  call.to = to;
  return call;
}

TEST_F(Quiet, TwoWinnersOfOneCreateHaveNoOrder) {
  std::vector<RaceCall> calls = {call(Kind::kCreate, 1, 5, true), call(Kind::kCreate, 2, 6, true)};
  EXPECT_FALSE(has_order(calls));
  calls.push_back(call(Kind::kUnlink, 3, 7, true));
  EXPECT_TRUE(has_order(calls)) << "removed in between";
  calls.back().began_ns = 6;
  calls[1].ended_ns = 5;
  EXPECT_FALSE(has_order(calls)) << "removed too late";
}

TEST_F(Quiet, WhatFailedMayHaveHappened) {
  RaceCall stat = call(Kind::kStat, 2, 3, true);
  stat.type = RaceCall::Type::kFile;
  std::vector<RaceCall> calls = {call(Kind::kCreate, 1, kNever, false), stat};
  EXPECT_TRUE(has_order(calls));
  calls[0].began_ns = 4;
  EXPECT_FALSE(has_order(calls)) << "it had not begun";
}

TEST_F(Quiet, AFolderTakesWithItWhatIsInIt) {
  RaceCall stat = on(kInB, call(Kind::kStat, 7, 8, true));
  stat.type = RaceCall::Type::kFile;
  stat.inode = 5;
  std::vector<RaceCall> calls = {call(Kind::kMkdir, 1, 2, true),
                                 on(kInA, call(Kind::kCreate, 3, 4, true)),
                                 on(kA, call(Kind::kRename, 5, 6, true), kB), stat};
  calls[1].inode = 5;
  EXPECT_TRUE(has_order(calls));
  calls[3].inode = 6;
  EXPECT_FALSE(has_order(calls)) << "another file";
  calls[3].inode = 5;
  calls[3].path = kInA;
  EXPECT_FALSE(has_order(calls)) << "it has left";
  calls[3].began_ns = 5;
  EXPECT_FALSE(has_order(calls)) << "its way was walked after the rename";
  calls[3].walked_from_ns = 5;
  EXPECT_TRUE(has_order(calls)) << "its way was walked before, and it came later";
}

TEST_F(Quiet, RenamesOfFoldersHaveTheErrorsOfPosixOnly) {
  const std::vector<RaceCall> both = {call(Kind::kMkdir, 1, 2, true),
                                      on(kB, call(Kind::kMkdir, 1, 2, true)),
                                      on(kInB, call(Kind::kMkdir, 3, 4, true))};
  const auto has = [&both](RacePath from, RacePath to, Errc error) {
    std::vector<RaceCall> calls = both;
    calls.push_back(on(from, call(Kind::kRename, 5, 6, error == Errc{}, error), to));
    return has_order(calls);
  };
  for (const Errc error : {Errc{}, Errc::kNotFound, Errc::kInvalid, Errc::kNotEmpty}) {
    EXPECT_EQ(has(kA, kInA, error), error == Errc::kInvalid);
    EXPECT_EQ(has(kA, kB, error), error == Errc::kNotEmpty);
    EXPECT_EQ(has(kInB, kB, error), error == Errc::kNotEmpty);
    EXPECT_EQ(has(kA, kInB, error), error == Errc{});
    EXPECT_EQ(has(kInA, kB, error), error == Errc::kNotFound);
  }
}

TEST_F(Quiet, TwoRenamesIntoEachOtherAreNotBothDone) {
  const std::vector<RaceCall> calls = {
      call(Kind::kMkdir, 1, 2, true), on(kB, call(Kind::kMkdir, 1, 2, true)),
      on(kA, call(Kind::kRename, 3, 9, true), kInB), on(kB, call(Kind::kRename, 3, 9, true), kInA)};
  EXPECT_FALSE(has_order(calls));
}

TEST_F(Quiet, LinksLeadOnAndInCirclesNowhere) {
  RaceCall stat = on(kInA, call(Kind::kStat, 5, 6, true));
  stat.type = RaceCall::Type::kDirectory;
  std::vector<RaceCall> calls = {on(kA, call(Kind::kSymlink, 1, 2, true), kB),
                                 on(kB, call(Kind::kMkdir, 1, 2, true)),
                                 on(kInB, call(Kind::kMkdir, 3, 4, true)), stat};
  EXPECT_TRUE(has_order(calls));
  calls[3].type = RaceCall::Type::kFile;
  EXPECT_FALSE(has_order(calls));
  calls = {on(kA, call(Kind::kSymlink, 1, 2, true), kB),
           on(kB, call(Kind::kSymlink, 1, 2, true), kA),
           on(kInA, call(Kind::kStat, 3, 4, false, Errc::kSymlinkLoop))};
  EXPECT_TRUE(has_order(calls));
  calls.back().error = Errc::kNotFound;
  EXPECT_FALSE(has_order(calls));
}

// ---- The model of a tree

TEST_F(Quiet, ATreeKnowsWhereItsLinksLead) {
  TreeModel tree("/tree");
  const TreeModel::Thing folder{.type = TreeModel::Type::kDirectory};
  const auto link = [](const char* says) {
    return TreeModel::Thing{.type = TreeModel::Type::kLink, .says = says};
  };
  tree.changed("d0", folder);
  tree.changed("d0/f0", {.type = TreeModel::Type::kFile, .tag = 7});
  tree.changed("f0", link("d0"));
  tree.changed("f1", link("/tree/f0/f0"));
  tree.changed("d0/f1", link("../f2"));
  tree.changed("f2", link("d0/f1"));
  EXPECT_EQ(tree.follow("f0").name, "d0");
  EXPECT_EQ(tree.follow("f1").name, "d0/f0");
  EXPECT_EQ(tree.follow("f2").error, Errc::kSymlinkLoop);
  tree.moved("d0", "d1");
  EXPECT_EQ(tree.follow("f0").error, Errc::kNotFound);
  EXPECT_EQ(tree.at("d1/f0").thing().tag, 7U);
  EXPECT_FALSE(tree.contains("d0/f0"));
  tree.doubt_move("d1", "d0", 5);
  EXPECT_FALSE(tree.follow("d1").is_known);
  tree.settle_move(*tree.move_of("d0"), true);
  EXPECT_EQ(tree.follow("f1").name, "d0/f0");
  EXPECT_FALSE(tree.contains("d1/f0"));
}

struct TreePower : Quiet {
  TreePower() {
    tree.changed("d0", {.type = TreeModel::Type::kDirectory});
    tree.changed("d0/f0", file);
    tree.synced("d0/f0");
    tree.changed("d0/f1", file);
  }
  TreeModel tree{"/tree"};
  const TreeModel::Thing file{
      .type = TreeModel::Type::kFile, .tag = 7, .size = 100, .filled = true};
};

TEST_F(TreePower, WhatWasSyncedSurvivesWithItsFolders) {
  tree.power_cut();
  EXPECT_TRUE(tree.at("d0").known());
  EXPECT_TRUE(tree.at("d0/f0").known());
  EXPECT_FALSE(tree.at("d0/f1").known());
  tree.lose_track("d0");
  EXPECT_FALSE(tree.at("d0/f0").known());
}

TEST_F(TreePower, WhatIsInAFolderThatCameBackIsNotKnown) {
  tree.changed("d1", {});
  tree.power_cut();
  tree.found("d1", {.type = TreeModel::Type::kDirectory});
  EXPECT_TRUE(tree.at("d1").known());
  EXPECT_FALSE(tree.at("d1/f0").known());
}

TEST_F(TreePower, ASyncedFileIsAtOneOfItsNamesAfterARename) {
  tree.changed("d0/f0", {});
  tree.changed("f0", file);
  tree.renamed({.from = "d0/f0", .to = "f0", .thing = file, .survives = true});
  EXPECT_FALSE(tree.rename_of("f0").has_value());  // It is known at which.
  tree.power_cut();
  ASSERT_TRUE(tree.rename_of("f0").has_value());
  EXPECT_EQ(tree.rename_of("d0/f0")->to, "f0");
  tree.changed("f0", {});
  EXPECT_FALSE(tree.rename_of("d0/f0").has_value());
}

TEST_F(TreePower, NothingIsSaidOfARenameOfWhatWasNotSynced) {
  tree.changed("d0/f1", {});
  tree.changed("f0", file);
  tree.renamed({.from = "d0/f1", .to = "f0", .thing = file});
  tree.power_cut();
  EXPECT_FALSE(tree.rename_of("f0").has_value());
}

}  // namespace
}  // namespace benchfs::sim
