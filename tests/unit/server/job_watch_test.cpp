// Goal: servers end when their job is over, and never because somebody could not say.
// Method: answers of squeue as they were seen, judged one after the other. That guards look, and
// what they do then, is tried on real jobs: tests/slurm/faults_test.py.

#include "server/job_watch.h"

#include <string>

#include <gtest/gtest.h>

namespace benchfs::server {
namespace {

TEST(JobWatch, AControllerThatDoesNotAnswerSaysNothing) {
  std::string start;
  EXPECT_EQ(judge("slurm_load_jobs error: Unable to contact slurm controller", 1, start),
            JobState::kUnknown);
  EXPECT_EQ(judge("", 127, start), JobState::kUnknown);
  EXPECT_EQ(judge("", 143, start), JobState::kUnknown);
  EXPECT_EQ(start, "");
}

TEST(JobWatch, AJobThatRunsOrWillRunOnLives) {
  std::string start;
  EXPECT_EQ(judge("CONFIGURING|2026-11-29T12:00:00\n", 0, start), JobState::kAlive);
  EXPECT_EQ(judge("RUNNING|2026-11-29T12:00:03\n", 0, start), JobState::kAlive);
  EXPECT_EQ(judge("SUSPENDED|2026-11-29T12:00:03\n", 0, start), JobState::kAlive);
  EXPECT_EQ(judge("RUNNING|2026-11-29T12:00:03\n", 0, start), JobState::kAlive);
}

TEST(JobWatch, AJobThatHasEndedIsOver) {
  std::string start;
  EXPECT_EQ(judge("", 0, start), JobState::kOver);
  EXPECT_EQ(judge("COMPLETING|2026-11-29T12:00:03\n", 0, start), JobState::kOver);
  EXPECT_EQ(judge("PENDING|N/A\n", 0, start), JobState::kOver);
  EXPECT_EQ(judge("slurm_load_jobs error: Invalid job id specified\n", 1, start), JobState::kOver);
}

TEST(JobWatch, AnotherRunOfTheJobIsNotThisOne) {
  std::string start;
  EXPECT_EQ(judge("RUNNING|2026-11-29T12:00:03\n", 0, start), JobState::kAlive);
  EXPECT_EQ(judge("RUNNING|2026-11-29T12:30:00\n", 0, start), JobState::kOver);
}

}  // namespace
}  // namespace benchfs::server
