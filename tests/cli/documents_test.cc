// SPDX-License-Identifier: GPL-2.0-or-later
//
// --help, the man page and the completion name the same options.
#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "tests/cli/command.h"

namespace kd {
namespace {

std::set<std::string> options_in(const std::string& text) {
  static const std::regex option(R"((^|[\s*,])(--?[A-Za-z][a-z-]*))");
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), option), end; match != end; ++match) {
    found.insert((*match)[2]);
  }
  return found;
}

// Only the lines that introduce an option: "*-o, --output* _FILE_".
std::string option_lines(const std::string& man_page) {
  static const std::regex line(R"(\n(\*-[^\n]*))");
  std::string lines;
  for (std::sregex_iterator match(man_page.begin(), man_page.end(), line), end; match != end;
       ++match) {
    lines += " " + (*match)[1].str() + "\n";
  }
  return lines;
}

std::string help_options() {
  const std::string help = run({KD_MKINITRD, "--help"}).out;
  static const std::regex line(R"(\n\s+(-[^\n]*?)(\s{2,}|\n))");
  std::string lines;
  for (std::sregex_iterator match(help.begin(), help.end(), line), end; match != end; ++match) {
    lines += " " + (*match)[1].str() + "\n";
  }
  return lines;
}

TEST(Documents, ManPageDescribesTheOptionsOfHelp) {
  const std::string man = read_file(KD_SOURCE_DIR "/builder/kdump-mkinitrd.8.scd");
  EXPECT_EQ(options_in(option_lines(man)), options_in(help_options()));
  EXPECT_GE(options_in(help_options()).size(), 20U);
}

TEST(Documents, CompletionOffersTheOptionsOfHelp) {
  const std::string script = read_file(KD_SOURCE_DIR "/builder/kdump-mkinitrd.bash-completion");
  const std::size_t begin = script.find("options='") + 9;
  const std::string options = " " + script.substr(begin, script.find('\'', begin) - begin);
  EXPECT_EQ(options_in(options), options_in(help_options()));
}

}  // namespace
}  // namespace kd
