// SPDX-License-Identifier: GPL-2.0-or-later
//
// The error vocabulary of the whole project: a Result<T> holds a value or an Error, and an Error
// says which exit code the program ends with.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

namespace kd {

// The values are the exit codes of kdump-mkinitrd(8).
enum class ErrorKind {
  kFailed = 1,              // I/O, damaged input, a broken environment
  kUsage = 2,               // the command line or a configuration file is wrong
  kTargetNotSupported = 3,  // a storage layer or target this program does not know
  kDoesNotFit = 4,          // the image cannot work in the reservation
  kKernelNotFound = 5,      // no such kernel, or its modules are missing
  kProgramMissing = 7,      // a boot test needs a package that is not installed
};

struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string message;       // cause, place and next step, without a trailing newline
  std::errc system_error{};  // the errno behind it, where there is one
};

template <typename T>
using Result = tl::expected<T, Error>;

template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format,
                                         Args&&... args) {
  return tl::unexpected(Error{kind, fmt::format(format, std::forward<Args>(args)...), {}});
}

// "WHAT: strerror", keeping the errno; `error` must be read before anything can change errno.
[[nodiscard]] inline tl::unexpected<Error> fail_errno(int error, std::string_view what) {
  return tl::unexpected(Error{ErrorKind::kFailed,
                              fmt::format("{}: {}", what, std::generic_category().message(error)),
                              static_cast<std::errc>(error)});
}

// Puts "CONTEXT: " in front of an error on its way up.
[[nodiscard]] inline tl::unexpected<Error> in_context(std::string_view context, Error error) {
  error.message = fmt::format("{}: {}", context, error.message);
  return tl::unexpected(std::move(error));
}

}  // namespace kd

// Declares or assigns TARGET from a Result expression, or returns its error.
//   KD_TRY(auto text, reader.read("/proc/cmdline"));
#define KD_TRY(target, ...) KD_TRY_(KD_JOIN_(kd_result_, __LINE__), target, __VA_ARGS__)
#define KD_TRY_(name, target, ...)                           \
  auto name = (__VA_ARGS__);                                 \
  if (!name) return tl::unexpected(std::move(name).error()); \
  target = std::move(name).value()
// The same for Result<void>.
#define KD_CHECK(...)                               \
  if (auto kd_checked = (__VA_ARGS__); !kd_checked) \
  return tl::unexpected(std::move(kd_checked).error())
#define KD_JOIN_(a, b) KD_JOIN2_(a, b)
#define KD_JOIN2_(a, b) a##b
