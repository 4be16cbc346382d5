#pragma once

// A value or the Error that kept it from existing: tl::expected, under the names that the house
// uses.

#include <utility>

#include <tl/expected.hpp>

#include "base/error.h"

namespace benchfs {

template <typename T>
using Result = tl::expected<T, Error>;

/// Success, or an Error.
using Status = Result<void>;

/// What a function returns instead of its value: `return fail(Errc::kIo, "disk.read", errno);`
using Failure = tl::unexpected<Error>;

/// `where` is a static string that names the failing step.
[[nodiscard]] inline Failure fail(Errc code, const char* where, std::int32_t os_code = 0) noexcept {
  return Failure(Error{.code = code, .os_code = os_code, .where = where});
}

/// Hands an Error on unchanged.
[[nodiscard]] inline Failure fail(Error error) noexcept {
  return Failure(error);
}

}  // namespace benchfs

// The only flow macros of the project. Each evaluates `expression` once and leaves the function
// with its Error if there is one; otherwise `declaration` (e.g. `const auto size`, or an assignable
// name) takes the value. The _CHECK forms are for a Status. In a coroutine: the _CO_ forms await
// `expression`, the _CO_..._NOW forms call a plain function. (No parentheses behind co_await: g++ 12
// copies a parenthesised lvalue.)
//
// NOLINTBEGIN(bugprone-macro-parentheses)
#define BENCHFS_JOIN_(a, b) a##b
#define BENCHFS_JOIN(a, b) BENCHFS_JOIN_(a, b)
#define BENCHFS_CHECK_IMPL_(tmp, expression, leave) \
  auto tmp = expression;                            \
  if (!tmp.has_value()) {                           \
    leave ::benchfs::fail(tmp.error());             \
  }                                                 \
  static_assert(true)
#define BENCHFS_TRY_IMPL_(tmp, declaration, expression, leave) \
  BENCHFS_CHECK_IMPL_(tmp, expression, leave);                 \
  declaration = std::move(*tmp)

// clang-format off
#define BENCHFS_TRY(declaration, expression) \
  BENCHFS_TRY_IMPL_(BENCHFS_JOIN(try_, __LINE__), declaration, expression, return)
#define BENCHFS_CO_TRY(declaration, awaitable) \
  BENCHFS_TRY_IMPL_(BENCHFS_JOIN(try_, __LINE__), declaration, co_await awaitable, co_return)
#define BENCHFS_CO_TRY_NOW(declaration, expression) \
  BENCHFS_TRY_IMPL_(BENCHFS_JOIN(try_, __LINE__), declaration, expression, co_return)
#define BENCHFS_CO_CHECK_NOW(expression) \
  BENCHFS_CHECK_IMPL_(BENCHFS_JOIN(try_, __LINE__), expression, co_return)
#define BENCHFS_CHECK(expression) \
  BENCHFS_CHECK_IMPL_(BENCHFS_JOIN(try_, __LINE__), expression, return)
#define BENCHFS_CO_CHECK(awaitable) \
  BENCHFS_CHECK_IMPL_(BENCHFS_JOIN(try_, __LINE__), co_await awaitable, co_return)
// clang-format on
// NOLINTEND(bugprone-macro-parentheses)
