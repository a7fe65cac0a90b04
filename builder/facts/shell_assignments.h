// SPDX-License-Identifier: GPL-2.0-or-later
//
// Configuration files that were made to be sourced by sh(1), read without a shell.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "builder/base/result.h"

namespace kd {

using ShellVariables = std::map<std::string, std::string, std::less<>>;

// NAME=value with sh(1)'s quoting: '..', "..", \, comments, continued lines, several assignments
// on one line (also separated by ';'), `export`, $NAME and ${NAME} of earlier variables (unset ones
// are empty: the environment is not looked at) and NAME+=. Glob characters stay as they are, as sh
// leaves them in an assignment. Everything else a shell could do - command substitution, ${x:-y},
// ~, commands, redirection, control flow - is ErrorKind::kUsage with "FILE:LINE:", the construct
// and what to write instead. `variables` are what an earlier file set.
Result<ShellVariables> parse_shell_assignments(std::string_view text, std::string_view file_name,
                                               ShellVariables variables = {});

// Splits a value into words at blanks; quotes inside it group as in sh(1) ("a 'b c'" is two words).
Result<std::vector<std::string>> split_words(std::string_view value);

}  // namespace kd
